"""How the language models in the box are made; nothing else imports it."""
