"""Machine code for the kernels, made from their rows by LLVM: the one package that imports llvmlite.

Each function takes one address, that of a `KernelArguments`, and runs a whole block of passes without the
interpreter: it meets the other threads at a barrier, stamps its start, makes its passes, stamps its end. No pass of
LLVM's optimiser runs over the code: what is written here is what is translated, with the vectors as wide and the loop
as unrolled as here.

`rows` and `processor` say what is compiled and for what, and need no llvmlite; `library` has it compiled. In between,
`emitter` writes the functions, out of `passes`, `vectors` and `sums`, on top of `timing` and `flow`.
"""
