mod binding;
mod grammar;
mod matching;
