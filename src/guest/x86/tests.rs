//! What holds for the rows.
