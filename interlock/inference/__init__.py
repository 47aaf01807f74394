"""The inference gateway: the one door to models, and the chat model of ours that thinks through it."""
