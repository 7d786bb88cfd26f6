"""HTTP: the Open Inference Protocol v2 and the endpoints for people, as one ASGI application over a data plane."""
