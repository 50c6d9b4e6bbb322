//! The scimgate command.

fn main() {}
