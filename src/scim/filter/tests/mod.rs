mod binding;
mod grammar;
mod matching;
mod second_opinion;
