"""Models: the shared encoder, its asyncio front, and the heads that learn on its vectors.

Import what is needed from the modules themselves; nothing is imported here, so that `import rejoinder` stays light.
"""
