//! One suite over real sockets, for every runtime on either side.
//!
//! A story is generic over its [`Ground`](ground::Ground), the runtimes of the engines and of the
//! server, and takes the [`Way`](way::Way) of their links as an argument. Each story runs on each
//! ground and each way, and depends on neither.

mod cancelling;
mod conversation;
mod crowds;
mod cuts;
mod flow;
mod ground;
mod lifetimes;
mod relay;
mod way;

use rts_transport_smol::Smol;
use rts_transport_tokio::Tokio;

use ground::{Ground, many_threads, one_thread, without_tokio};
use way::Way;

/// `name: way`: all grounds, over links of this kind.
macro_rules! way {
    ($name:ident: $way:expr) => {
        mod $name {
            use super::*;

            const WAY: Way = $way;

            ground!(tokio_on_one_thread: Tokio => Tokio, one_thread, 1);
            ground!(tokio_on_many_threads: Tokio => Tokio, many_threads, 1);
            ground!(smol: Smol => Smol, without_tokio, 1);
            ground!(smol_to_tokio: Smol => Tokio, many_threads, 1);
            ground!(tokio_to_smol: Tokio => Smol, many_threads, 1);
            ground!(tokio_to_three_shards: Tokio => Tokio, one_thread, 3);
            ground!(smol_to_three_shards: Smol => Smol, without_tokio, 3);
        }
    };
}

/// `name: runtime of the engines => runtime of the server, run by, shards`: all stories on this
/// ground.
macro_rules! ground {
    ($name:ident: $client:ty => $server:ty, $run:ident, $shards:expr) => {
        mod $name {
            use super::*;

            struct Here;

            impl Ground for Here {
                type Client = $client;
                type Server = $server;
                const SHARDS: usize = $shards;
            }

            stories!($run);
        }
    };
}

macro_rules! stories {
    ($run:ident: $($theme:ident { $($story:ident)* })*) => {
        $(mod $theme {
            use super::*;

            $(
                #[test]
                fn $story() {
                    $run(crate::$theme::$story::<Here>(WAY));
                }
            )*
        })*
    };
    ($run:ident) => {
        stories! { $run:
            conversation {
                messages_go_both_ways_with_results
                a_rooms_members_hear_each_other
                a_second_login_of_a_user_displaces_the_first
                fresh_token_logs_in_after_refusal
                logout_ends_the_session_at_once
                handler_may_send_and_survives_its_panic
            }
            flow {
                big_messages_both_ways_at_once
                many_small_messages_arrive_once_and_in_order
                a_slow_reader_slows_its_sender_and_loses_nothing
            }
            cuts {
                link_cut_at_any_byte_loses_nothing
                link_half_closed_by_server_is_replaced
                link_half_closed_by_client_is_replaced
                changed_network_replaces_the_link
                a_server_that_moved_is_found_at_its_new_address
                a_server_that_was_started_again_is_found
                client_of_several_servers_goes_to_one_that_takes_it
            }
            cancelling {
                dropped_waits_for_events_and_results_lose_nothing
                dropped_wait_for_the_engines_end_can_be_repeated
                dropped_serve_future_keeps_links
                dropped_wait_for_the_shards_end_can_be_repeated
            }
            lifetimes {
                dropping_the_handles_logs_out_and_closes_the_connection
                the_events_alone_keep_no_engine
                a_room_alone_keeps_the_engine
                dropping_the_results_and_the_events_stops_nothing
                frames_before_destroy_are_written
                engine_without_server_can_be_destroyed
                links_outlive_the_handles_of_their_shard
                serving_can_restart_while_links_stay
                two_listeners_have_one_shard
                silent_link_is_closed_at_its_deadline
                invalid_bytes_get_a_close_frame
                links_over_the_limit_are_closed_at_once
                panicking_authenticator_refuses_one_login_only
                panic_over_input_ends_only_its_link
                the_shard_knows_who_is_online
            }
            crowds {
                thousands_log_in_and_each_writes_to_the_next
                shutdown_notifies_clients_and_ends_serving
            }
        }
    };
}

way!(tcp: Way::Tcp);
way!(tls: Way::Tls);
way!(web_socket: Way::WebSocket);
way!(secure_web_socket: Way::SecureWebSocket);
