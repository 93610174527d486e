"""Break a running site at random instants for half an hour, and count from outside what it lost: `make hard`."""
