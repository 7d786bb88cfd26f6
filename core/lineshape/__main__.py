"""`python -m lineshape` is the command `lineshape`."""

from lineshape.cli import main

main()
