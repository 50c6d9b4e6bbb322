//! The real program before a real directory: an OpenLDAP for each test, or the kind that `SCIMGATE_TEST_DIRECTORY` names.
#![cfg(test)]

mod support;

mod account;
mod active;
mod audit;
mod auth;
mod bulk;
mod cli;
mod compression;
mod connections;
mod conversations;
mod crowd;
mod cursors;
mod derived;
mod discovery;
mod doctor;
mod existing;
mod extensions;
mod faults;
mod feed;
mod filters;
mod foreign;
mod groups;
mod hostile;
mod issuers;
mod law;
mod layering;
mod limits;
mod lines;
mod lists;
mod members;
mod names;
mod oauth;
mod oauth_code;
mod passwords;
mod patch;
mod posix;
mod preconditions;
mod rename;
mod roles;
mod servers;
mod service;
mod strictness;
mod tls;
mod users;
