"""24-hour times such as 22:05: "10:05 p.m." would end a sentence with two full stops."""

TIME_FORMAT = "H:i"
DATETIME_FORMAT = "N j, Y, H:i"
