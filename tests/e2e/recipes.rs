//! The files of `examples/` that an application copies to publish what it logs: the same questions to each of them, in
//! an application of a framework that is in use.

mod away;
mod control;
mod refused;
mod watched;

use crate::support::recipes::Recipe;

/// Asks a framework all questions, each in an application of its own.
macro_rules! ask {
    ($($name:ident = $recipe:expr;)*) => {$(
        mod $name {
            use super::*;

            #[tokio::test]
            async fn a_watched_request_is_shown_in_order_with_its_outcome() {
                watched::in_order($recipe).await;
            }

            #[tokio::test]
            async fn a_request_is_one_operation_whatever_becomes_of_it() {
                watched::one_operation($recipe).await;
            }

            #[tokio::test]
            async fn an_id_that_is_none_is_as_good_as_absent() {
                watched::no_id($recipe).await;
            }

            #[tokio::test]
            async fn concurrent_requests_are_kept_apart_and_only_one_gets_the_detail_that_its_watcher_asks_for() {
                control::detail($recipe).await;
            }

            #[tokio::test]
            async fn a_request_learns_that_it_shall_stop() {
                control::cancel($recipe).await;
            }

            #[tokio::test]
            async fn while_the_server_is_away_the_application_is_as_ever_and_then_says_what_is_missing() {
                away::and_back($recipe).await;
            }

            #[tokio::test]
            async fn what_finds_no_room_is_counted_and_the_outcome_finds_some() {
                away::full($recipe).await;
            }

            #[tokio::test]
            async fn what_waits_when_the_application_ends_is_published() {
                away::at_the_end($recipe).await;
            }

            #[tokio::test]
            async fn a_batch_whose_answer_is_lost_is_sent_again_with_its_key() {
                away::lost_answer($recipe).await;
            }

            #[tokio::test]
            async fn it_publishes_nothing_if_told_so_and_no_more_once_the_server_refuses_its_token() {
                refused::off($recipe).await;
            }

            #[tokio::test]
            async fn an_id_that_is_unknown_is_left_alone() {
                refused::unknown($recipe).await;
            }

            #[tokio::test]
            async fn a_server_with_a_token_takes_what_has_it() {
                refused::token($recipe).await;
            }
        }
    )*};
}

ask! {
    fastapi = Recipe::FastApi;
    flask = Recipe::Flask;
    express = Recipe::Express;
    go = Recipe::Go;
    spring = Recipe::Spring;
}

#[test]
fn each_file_is_short_enough_to_be_read_before_it_is_copied() {
    let examples = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    for language in examples.read_dir().unwrap() {
        for file in language.unwrap().path().read_dir().unwrap() {
            let file = file.unwrap().path();
            let text = std::fs::read_to_string(&file).unwrap();
            assert!(text.lines().count() <= 80, "{}", file.display());
            let is_wide = |it: &str| it.chars().count() > 120;
            assert!(!text.lines().any(is_wide), "{}", file.display());
        }
    }
}
