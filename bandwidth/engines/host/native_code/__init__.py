"""Machine code for the kernels, made from their rows by LLVM: the one package that imports llvmlite.

Each function takes one address, that of a `KernelArguments`, and runs a whole block of passes without the
interpreter: it meets the other threads at a barrier, stamps its start, makes its passes, stamps its end. No pass of
LLVM's optimiser runs over the code: what is written here is what is translated, with the vectors as wide and the loop
as unrolled as here.

`processor` says what is compiled and for what, and needs no llvmlite; `compiled` writes the functions, out of `passes`
on top of `flow`, and has them compiled.
"""
