import { Server } from "socket.io";
import { io as connect } from "socket.io-client";
import { turbo } from "socket.io-turbo";
import { converse } from "./conversation.cjs";

await converse({ Server, connect, turbo });
