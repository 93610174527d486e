"""The package moto as an S3 server, run by the Python of `make clients`.

moto's PUT "if nothing is there" looks and then writes, and two requests can both find nothing: the second writer then
replaces what the first has been told it wrote. S3 lets one of them in, and Delta's log rests on that. Here one PUT ends
before the next begins.
"""

import threading
from typing import Any

from moto.s3.responses import S3Response
from moto.server import main

ONE_AT_A_TIME = threading.Lock()
put = S3Response.put_object


def put_object(response: Any) -> Any:
    """moto's own answer to a PUT, while no other one is answered."""
    with ONE_AT_A_TIME:
        return put(response)


if __name__ == "__main__":
    S3Response.put_object = put_object
    main()
