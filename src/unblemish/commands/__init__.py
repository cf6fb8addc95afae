"""One thin file a verb of the `unblemish` command; `app` lists them."""
