"""Our ASGI application in uvicorn, as BentoML would run it, but without BentoML: `python -m ... BUNDLE PORT`."""

from __future__ import annotations

import sys

import uvicorn

from lineshape_serving.http.bounded import BoundedProtocol
from lineshape_serving.server import Server
from lineshape_serving.settings import Settings

if __name__ == "__main__":
    bundle, port = sys.argv[1:]
    application = Server(Settings((bundle,))).application
    uvicorn.run(application, port=int(port), http=BoundedProtocol, log_level="error", access_log=False)
