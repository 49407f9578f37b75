//! The command line as people and scripts meet it: what is refused and in which words, what is only planned, what is
//! selected, what is said and where, and who may push.
#![allow(clippy::unwrap_used)]

mod arguments;
mod catalogue;
mod channels;
mod config;
mod config_choices;
mod config_file;
mod config_refusals;
mod dry_run;
mod generated;
mod guard;
mod log_format;
mod login;
mod output;
mod outside_index;
mod plan_json;
mod plan_table;
mod report;
mod report_schema;
mod report_schema_bounds;
mod selection;
mod selection_filters;
mod selection_specs;
mod support;
mod terminal;
mod undistributable;
