"""The client for people: spectra on any axis in, spectra out, over the Open Inference Protocol v2.

`calls` says what is asked and what is made of the answers, and `retries` how often, neither knowing how it travels; the
two shells that send, `blocking` over urllib3 and `asynchronous` over aiohttp, are thin.
"""
