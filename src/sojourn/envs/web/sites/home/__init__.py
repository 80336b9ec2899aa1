"""The home page: links to every site, help, a calculator, a scratchpad."""
