"""The package moto as an S3 server, run by the Python of `make clients`.

moto's PUT "if nothing is there" looks and then writes, and two requests can both find nothing: the second writer then
replaces what the first has been told it wrote. S3 lets one of them in, and Delta's log rests on that. Here one PUT ends
before the next begins. With `--deaf` conditions are passed over, as servers do that don't know them; with `--read-only`
nothing may be written.
"""

import sys
import threading
from typing import Any

from moto.s3.responses import S3Response
from moto.server import main
from werkzeug.datastructures import Headers

ONE_AT_A_TIME = threading.Lock()
DEAF, READ_ONLY = "--deaf", "--read-only"
put = S3Response.put_object


def put_object(response: Any) -> Any:
    """moto's own answer to a PUT, while no other one is answered."""
    if DEAF in sys.argv:
        response.headers = Headers([pair for pair in response.headers.items() if pair[0].lower() != "if-none-match"])
    if READ_ONLY in sys.argv:
        return 403, {}, ""
    with ONE_AT_A_TIME:
        return put(response)


if __name__ == "__main__":
    S3Response.put_object = put_object
    main([word for word in sys.argv[1:] if word not in (DEAF, READ_ONLY)])
