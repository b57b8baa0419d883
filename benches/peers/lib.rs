//! Holds nothing: the benchmark beside it is the package.
