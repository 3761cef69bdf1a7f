"""The pages that people see: server-rendered, with a little script of our own."""
