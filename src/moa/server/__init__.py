"""A mixture is a model: an OpenAI- and Anthropic-compatible server (`moa serve`).

app.py is the ASGI application and its table of routes; door.py lets a request in (key, size, JSON); chat.py, responses.py and
messages.py each translate one protocol; turn.py runs what is asked and speaks while it works; catalogue.py knows the models.
"""
