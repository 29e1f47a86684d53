//! The roads on planted problems, and the laws of every answer.
