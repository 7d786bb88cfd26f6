"""The Open Inference Protocol v2 over gRPC, with health and reflection: an adapter of the data plane."""

from lineshape_serving.grpc.server import Endpoint, start

__all__ = ["Endpoint", "start"]
