//! The files of `examples/` that an application copies to publish what it logs: the same tests for each of them, in an
//! application of a common framework.

mod away;
mod control;
mod refused;
mod watched;

use crate::support::recipes::Recipe;

/// Runs all tests with a framework, each in an application of its own.
macro_rules! ask {
    ($($name:ident = $recipe:expr;)*) => {$(
        mod $name {
            use super::*;

            #[tokio::test]
            async fn a_watched_request_is_shown_in_order_with_its_outcome() {
                watched::in_order($recipe).await;
            }

            #[tokio::test]
            async fn a_request_is_one_operation_however_it_ends() {
                watched::one_operation($recipe).await;
            }

            #[tokio::test]
            async fn a_malformed_id_is_ignored() {
                watched::no_id($recipe).await;
            }

            #[tokio::test]
            async fn of_concurrent_requests_only_the_one_whose_watcher_asks_gets_detail() {
                control::detail($recipe).await;
            }

            #[tokio::test]
            async fn a_request_can_see_that_it_was_cancelled() {
                control::cancel($recipe).await;
            }

            #[tokio::test]
            async fn an_application_works_without_the_server_and_later_reports_lost_messages() {
                away::and_back($recipe).await;
            }

            #[tokio::test]
            async fn dropped_messages_are_counted_and_the_outcome_is_kept() {
                away::full($recipe).await;
            }

            #[tokio::test]
            async fn queued_messages_are_published_when_the_application_ends() {
                away::at_the_end($recipe).await;
            }

            #[tokio::test]
            async fn a_batch_whose_answer_is_lost_is_sent_again_with_its_key() {
                away::lost_answer($recipe).await;
            }

            #[tokio::test]
            async fn publishing_can_be_turned_off_and_stops_if_the_token_is_refused() {
                refused::off($recipe).await;
            }

            #[tokio::test]
            async fn an_unknown_id_is_left_alone() {
                refused::unknown($recipe).await;
            }

            #[tokio::test]
            async fn messages_with_the_token_are_accepted() {
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
