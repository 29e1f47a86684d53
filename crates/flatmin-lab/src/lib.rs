//! flatmin-lab
