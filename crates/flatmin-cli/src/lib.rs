//! flatmin-cli
