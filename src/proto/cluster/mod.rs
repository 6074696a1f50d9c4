//! Codec for the broadcasts that nodes of a cluster publish through Redis: those of
//! @socket.io/redis-adapter 8 and notepack.io 3.0.1, without I/O and without JavaScript values.
//!
//! [`Broadcast`] is a message of the classic protocol, in MessagePack. [`ClusterBroadcast`] is one
//! of the sharded protocol, in JSON unless it has binary data. JavaScript handles all other
//! messages. A decoded packet has exactly the JSON and the attachments that an official node would
//! send to its clients: the output of notepack.io's decoder or `JSON.parse`, passed through
//! socket.io-parser's `deconstructPacket` and `JSON.stringify`. An encoded message has the same
//! bytes as notepack.io or `JSON.stringify` would write for the same value. The decoder accepts all
//! forms of MessagePack, including those that only other encoders write, such as
//! @msgpack/msgpack.
//!
//! # How
//!
//! A MessagePack message is decoded into a flat tree (`message_pack/tree.rs`). The tree is walked in
//! the order of JavaScript's properties (`message_pack/object.rs`), in which attachments are
//! numbered. JSON that becomes MessagePack is read token by token (`json/token.rs`), twice, since
//! MessagePack states the number of values in front of them. The payload of a JSON message
//! (`cluster_broadcast/json.rs`) is a slice of it. Nothing recurses. Text is copied once, into the
//! JSON; attachments and rooms share the memory of the message.
//!
//! # Limits
//!
//! | an attack by a publisher or a client | defence |
//! | --- | --- |
//! | a length or a count of 4 GiB in six bytes | compared with what is left before it is used; nothing is allocated for it |
//! | nested arrays, anywhere | [`MAX_DEPTH`], and no recursion below it |
//! | a map of many keys, equal or distinct | an index of the keys beyond twelve, by a keyed hash |
//! | a long message of tiny values | time and memory are linear: sixteen bytes for a value, 32 for a property of a map that is being written, 40 for a room |
//! | a thousand objects that look like placeholders, beside one attachment | one of them is replaced; the others remain objects |
//! | a message that is cut, or has trailing bytes | [`DecodeError::Truncated`], [`DecodeError::TrailingBytes`]; in JSON, [`DecodeError::InvalidEnvelope`] |
//!
//! The caller limits the length of a message.
//!
//! # Habits shared with notepack.io and JavaScript
//!
//! - All numbers are doubles: 64-bit integers are rounded, NaN and infinities become
//!   null, −0 becomes 0.
//! - Invalid UTF-8 becomes U+FFFD.
//! - Timestamps become the strings of `toJSON`, fractions of a millisecond cut off, and
//!   null beyond the year 275760. A timestamp of 96 bits has twelve bytes, whatever its
//!   length says.
//! - Extension 0 is that of notepack.io before version 3: an ArrayBuffer, a date in
//!   eight bytes, or undefined in one. Other extensions become `[type, Buffer]`.
//! - Keys that are array indices come first, by value. Of duplicate keys, the first determines
//!   the place and the last the value. In MessagePack, the key `__proto__` is not a property, and
//!   keys that are numbers, null, undefined, booleans or binary become strings.
//! - Integers beyond 64 bits are written without their upper bits: `1e300` as 0.
//! - In a string of up to 32 UTF-16 code units, a lone surrogate is merged with the next unit
//!   (`message_pack/surrogates.rs`); in a longer one, it is written as U+FFFD. JSON keeps it.
//! - A `requestId` of null counts as an id; an `id` of null does not.
//! - `rooms` and `except` are what `new Set()` accepts: text and binary data are lists of their
//!   characters and bytes. Options other than a map have no properties, but must not be a plain
//!   value; in a [`ClusterBroadcast`] they may be a plain value, too, except null.
//! - Rooms are strings, numbers, booleans and null, which an official node also writes for undefined.
//!
//! # Deviations in decoding
//!
//! Official publishers send none of these inputs, except for payloads of `JSON.rawJSON`. The first
//! two come from emitters of Socket.IO 2 and in other languages.
//!
//! | input | official | here |
//! | --- | --- | --- |
//! | a packet of type 5 or 6, with its binary data in place | a text that every client refuses | as with 2 and 3 |
//! | a packet whose type is a text, such as `"2"`, with binary data | sent as JSON | sent as attachments, as with 2 |
//! | a map key that is an array, a map, a date, an ArrayBuffer or an extension | `String()` of it, which may throw | [`DecodeError::UnsupportedKey`] |
//! | `__proto__` in MessagePack with a map that has `nsp`, `rooms` and the like | inherited | ignored |
//! | `__proto__` in MessagePack with a date or binary data | throws, or sends the object as an attachment | ignored |
//! | nesting beyond the stack of Node.js | throws, if it is the payload | accepted up to [`MAX_DEPTH`] |
//! | a packet of another type, such as CONNECT | a text of that type | [`DecodeError::InvalidPacketType`] |
//! | `data` that every client refuses: not an array, a reserved event name | sent, and the clients close | [`DecodeError::InvalidPayload`] |
//! | `nsp` of a [`Broadcast`]'s packet that is not the name of a namespace | ignored | [`DecodeError::InvalidNamespace`] |
//! | `id` of a [`Broadcast`]'s packet that is not an integer of 0 to 2⁵³ − 1 | printed | [`DecodeError::InvalidAckId`] |
//! | binary data in a packet outside of `data` | a binary packet of 0 attachments, which clients refuse | left out |
//! | a room that is undefined | looked up | [`Room::Other`], which has no members |
//!
//! A payload of JSON is sent as it is written, where an official node parses and prints it again.
//! The output of `JSON.stringify` stays the same; for the output of other encoders, clients in
//! JavaScript parse the same values unless the table says otherwise:
//!
//! | payload of JSON | official | here |
//! | --- | --- | --- |
//! | white space, unnecessary escapes: `"\u0065"` | left out | sent |
//! | numbers in other forms: `1.0`, `1e2`, 30 digits | printed again | sent |
//! | numbers that JSON.stringify does not print: `-0`, `1e999` | `0`, `null` | sent; clients get −0, infinity |
//! | duplicate keys | the first determines the place and the last the value | sent; clients get the same |
//! | keys that are array indices behind others | moved to the front | sent; clients get the same |
//!
//! A room named by a string with a lone surrogate, which only JSON can hold, cannot be a [`Room`]:
//! [`ClusterBroadcast::decode`] leaves the message to JavaScript.
//!
//! # Deviations in encoding
//!
//! The JSON of a packet does not preserve everything of the original value. Where the bytes of
//! MessagePack differ from notepack.io's for that reason, receivers send the same to their clients
//! unless the table says otherwise. Messages of JSON differ only in the last two rows.
//!
//! | value | notepack.io | here |
//! | --- | --- | --- |
//! | a date | a timestamp | the string |
//! | an invalid date | 1970 | null, as local clients get it |
//! | a `toJSON()` that returns an object with another, or a date | called too, or taken | `{}`, as local clients get it |
//! | a property whose `toJSON()` returns undefined | nil | left out, as local clients get it |
//! | NaN, an infinity | a double | nil |
//! | a function or a symbol in an array | throws | nil |
//! | a typed array of elements wider than a byte | their lowest bytes | all bytes, as local clients get them |
//! | a DataView | no bytes | all bytes |
//! | an object that looks like a placeholder, beside attachments | a map | a map, or the attachment of that number while another place of it is a map; a number without an attachment is refused by [`Decoder`](crate::proto::socket_io::Decoder), as by every client |
//! | a lone surrogate in a key of more than 32 units | bytes of uninitialised memory | U+FFFD |
//! | a room that JSON cannot hold: undefined, NaN | its value, undefined as nil | nil |
//! | properties of a packet beside `type`, `data`, `id` and a [`Broadcast`]'s `nsp` | written | left out; no receiver reads them |
//! | a [`ClusterBroadcast`] whose binary data is hidden by a `toJSON()`, or is in the options | MessagePack | JSON, so that integers and lone surrogates are kept |
//!
//! # Why not a crate
//!
//! rmpv and rmp-serde recurse, up to a depth of 1,024. rmpv builds a tree of vectors, rmp-serde has
//! no tree. Neither knows JavaScript's order of properties, nor how notepack.io handles timestamps,
//! legacy extensions and invalid UTF-8, which is most of this module. Numbers are printed by ryu-js
//! and serde_json, strings and JSON handled by serde_json, UTF-8 checked by simdutf8. Dates are
//! printed here because chrono ends in the year 262143.

mod broadcast;
mod cluster_broadcast;
mod error;
mod flags;
mod json;
mod message_pack;
mod options;
mod packet;
mod room;

pub use broadcast::Broadcast;
pub use cluster_broadcast::ClusterBroadcast;
pub use error::{DecodeError, EncodeError};
pub use flags::Flags;
pub use message_pack::{MAX_DEPTH, is_well_formed};
pub use options::Options;
pub use room::Room;
