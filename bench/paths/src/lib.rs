//! The hot paths of socket.io-turbo, each with an input: what a message, a packet, a
//! broadcast runs through in Rust. Both harnesses measure what stands here: `instructions`
//! counts by callgrind what each executes, `time` has criterion take the time.
//!
//! All through the public API of the crate, on inputs that are the same in each run.

mod fan_out;
mod frames;
mod literals;
mod masking;
mod measured;
mod packets;
mod rooms;

pub use fan_out::*;
pub use frames::*;
pub use literals::*;
pub use masking::*;
pub use measured::{Measured, nothing};
pub use packets::*;
pub use rooms::*;

/// Calls the macro `$harness` with the names of all paths. Each is a function of this crate
/// that prepares the input.
#[macro_export]
macro_rules! all_paths {
    ($harness:ident) => {
        $harness! {
            nothing,
            mask_7_bytes,
            mask_60_bytes,
            mask_60_bytes_unaligned,
            mask_1000_bytes,
            mask_64_kib,
            mask_64_kib_unaligned,
            encode_frame_60_bytes,
            encode_frame_16_kib,
            encode_masked_frame_60_bytes,
            decode_text_60_bytes,
            decode_text_16_kib,
            decode_binary_16_kib,
            decode_100_messages,
            decode_16_fragments,
            decode_text_byte_by_byte,
            decode_engine_io_message,
            decode_event,
            decode_event_of_namespace,
            decode_event_with_attachment,
            encode_event,
            quote_ascii,
            quote_escapes,
            quote_utf16,
            prepare_text,
            prepare_attachment,
            queue_and_write_1_frame,
            queue_and_write_100_frames,
            write_frame_in_parts,
            decode_recipients,
            recipients_of_all,
            recipients_of_all_but_one,
            recipients_of_a_room,
            recipients_of_100_rooms,
            recipients_of_all_but_a_room,
            join_and_leave_10_rooms,
        }
    };
}

#[cfg(test)]
mod tests {
    macro_rules! check_each {
        ($($path:ident,)*) => { $(
            #[test]
            fn $path() {
                let mut path = crate::$path();
                assert!(!path.is_right());
                path.run();
                assert!(path.is_right());
            }
        )* };
    }
    all_paths!(check_each);
}
