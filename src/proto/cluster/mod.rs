//! The broadcasts that nodes of a cluster send each other through Redis, as
//! @socket.io/redis-adapter 8 writes and reads them with notepack.io 3.0.1, without I/O and
//! without JavaScript values.
//!
//! [`Broadcast`] is that of the classic protocol, [`ClusterBroadcast`] that of the sharded
//! one, which is JSON unless there is binary data in it. Other messages stay with the
//! application. A decoded packet holds the very JSON and attachments that an official node
//! would have sent to its clients: what notepack.io's decoder or `JSON.parse` yields, through
//! socket.io-parser's `deconstructPacket` and `JSON.stringify`. An encoded one is, byte by
//! byte, what notepack.io or `JSON.stringify` makes of the same value. What other encoders
//! such as @msgpack/msgpack write is read as well; all forms of MessagePack are.
//!
//! # How
//!
//! A message of MessagePack is decoded into a flat tree (`message_pack/tree.rs`), which is walked where its
//! order matters: properties have JavaScript's order (`message_pack/object.rs`), and attachments are
//! numbered in that. JSON that becomes MessagePack is read token by token (`json/token.rs`),
//! twice, as MessagePack says in front how many values follow. Of a message of JSON
//! (`json_message.rs`) the payload is a slice. Nothing recurses. Text is copied once, into
//! the JSON; attachments and rooms share the memory of the message.
//!
//! # Limits
//!
//! | what a publisher or a client may try | what stops it |
//! | --- | --- |
//! | a length or a count of 4 GiB in six bytes | compared with what is there before it is used; nothing is allocated for it |
//! | arrays in arrays in arrays, wherever they stand | [`MAX_DEPTH`], and no recursion below it |
//! | a map of many keys, the same or not | an index of the keys beyond twelve, by a keyed hash |
//! | a long message of tiny values | time and memory are linear: sixteen bytes for a value, 32 for a property of a map that is being written, 40 for a room |
//! | what looks like a placeholder, in a thousand places beside one attachment | it has one of them; the others remain objects |
//! | a message cut anywhere, or with something behind it | [`DecodeError::Truncated`], [`DecodeError::TrailingBytes`]; of JSON, [`DecodeError::InvalidEnvelope`] |
//!
//! How long a message may be at all is the caller's business.
//!
//! # What notepack.io and JavaScript do, and this codec too
//!
//! - All numbers are doubles: 64-bit integers are rounded, NaN and infinities become
//!   null, −0 becomes 0.
//! - Invalid UTF-8 becomes U+FFFD.
//! - Timestamps become the strings of `toJSON`, fractions of a millisecond cut off, and
//!   null beyond the year 275760. A timestamp of 96 bits has twelve bytes, whatever its
//!   length says.
//! - Extension 0 is what notepack.io wrote before version 3: an ArrayBuffer, a date in
//!   eight bytes, or undefined in one. Of other extensions `[type, Buffer]` remains.
//! - Keys that are array indices come first, by value. Of duplicate keys the first has
//!   the place and the last the value. Of MessagePack, the key `__proto__` is no property,
//!   and keys that are numbers, null, undefined, booleans or binary are turned into strings.
//! - Integers beyond 64 bits are written without their upper bits: `1e300` as 0.
//! - A lone surrogate in a string of up to 32 UTF-16 code units takes the unit behind
//!   it along (`message_pack/surrogates.rs`); in a longer one it is written as U+FFFD. JSON keeps it.
//! - A `requestId` of null is one, an `id` of null is none.
//! - `rooms` and `except` are what `new Set()` takes: text and binary data are lists of their
//!   characters and bytes. Options that are no map, but no plain value either, have no properties; of
//!   a [`ClusterBroadcast`] they may be a plain value, too, but for null.
//! - Rooms are strings, numbers, booleans and null, which an official node also writes for undefined.
//!
//! # Deviations in decoding
//!
//! Official publishers send none of these, except for payloads of `JSON.rawJSON`. The first two are
//! what emitters of Socket.IO 2 and in other languages send.
//!
//! | input | official | here |
//! | --- | --- | --- |
//! | a packet of type 5 or 6, with its binary data in place | a text that every client refuses | as with 2 and 3 |
//! | a packet whose type is a text, such as `"2"`, with binary data | sent as JSON | sent as attachments, as with 2 |
//! | a map key that is an array, a map, a date, an ArrayBuffer or an extension | `String()` of it, which may throw | [`DecodeError::UnsupportedKey`] |
//! | `__proto__` of MessagePack with a map that has `nsp`, `rooms` and the like | inherited | ignored |
//! | `__proto__` of MessagePack with a date or binary data | throws, or sends the object as an attachment | ignored |
//! | nested beyond what Value's stack holds | throws, if it is the payload | taken up to [`MAX_DEPTH`] |
//! | a packet of another type, such as CONNECT | a text that says so | [`DecodeError::InvalidPacketType`] |
//! | `data` that every client refuses: no array, a reserved event name | sent, and the clients close | [`DecodeError::InvalidPayload`] |
//! | `nsp` of a [`Broadcast`]'s packet that is no name of a namespace | ignored | [`DecodeError::InvalidNamespace`] |
//! | `id` of a [`Broadcast`]'s packet that is no integer of 0 to 2⁵³ − 1 | printed | [`DecodeError::InvalidAckId`] |
//! | binary data in a packet outside of `data` | a binary packet of 0 attachments, which clients refuse | left out |
//! | a room that is undefined | looked up | [`Room::Other`], in which nobody is |
//!
//! A payload of JSON is sent as it is written, where an official node parses it and prints it
//! again. What `JSON.stringify` has written comes out the same; of what others write, clients
//! in JavaScript parse the same values unless the table says otherwise:
//!
//! | payload of JSON | official | here |
//! | --- | --- | --- |
//! | white space, escapes that need not be: `"\u0065"` | left out | sent |
//! | numbers in other forms: `1.0`, `1e2`, 30 digits | printed again | sent |
//! | numbers that JSON.stringify does not print: `-0`, `1e999` | `0`, `null` | sent; clients get −0, infinity |
//! | duplicate keys | the first has the place and the last the value | sent; clients get the same |
//! | keys that are array indices behind others | moved to the front | sent; clients get the same |
//!
//! A room named by a string with a lone surrogate, which only JSON can say, is no [`Room`]:
//! [`ClusterBroadcast::decode`] leaves the message to the application, which knows such strings.
//!
//! # Deviations in encoding
//!
//! The JSON of a packet does not tell everything of the value that it was made of. Where
//! the bytes of MessagePack differ from notepack.io's for that reason, receivers send the same
//! to their clients unless the table says otherwise. Messages of JSON differ in the last two
//! rows alone.
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
//! | an object that looks like a placeholder, beside attachments | a map | a map, or the attachment of that number while another place of it is a map; a number that no attachment has is refused by [`Decoder`](crate::proto::socket_io::Decoder), as by every client |
//! | a lone surrogate in a key of more than 32 units | bytes of uninitialised memory | U+FFFD |
//! | a room that JSON does not hold: undefined, NaN | its value, undefined as nil | nil |
//! | properties of a packet beside `type`, `data`, `id` and a [`Broadcast`]'s `nsp` | written | left out; no receiver reads them |
//! | a [`ClusterBroadcast`] whose binary data is hidden by a `toJSON()`, or is in the options | MessagePack | JSON, so that integers and lone surrogates come as they are |
//!
//! # Why not a crate
//!
//! rmpv and rmp-serde recurse, up to a depth of 1,024, and build a tree of vectors or
//! none; neither knows JavaScript's order of properties nor what notepack.io makes of
//! timestamps, legacy extensions and invalid UTF-8, which is most of this module. Numbers
//! are ryu-js's and serde_json's, strings and JSON serde_json's, UTF-8 simdutf8's. Dates
//! are printed here because chrono ends in the year 262143.

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
