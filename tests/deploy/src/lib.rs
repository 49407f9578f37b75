//! What is deployed (`deploy/`, `.github/`), held against the programs: each object by its type, each flag, variable and
//! metric by the code. All of it is in `tests/`.
