import { createServer } from "node:http";
import { Server } from "socket.io";
import { io as connect } from "socket.io-client";
import { native, type Stats, type TurboOptions, turbo } from "socket.io-turbo";
import { converse } from "./conversation.cjs";

interface ServerEvents {
  news: (text: string) => void;
}

const ours: TurboOptions = { maxAttachments: 3 };
const server = new Server<Record<string, never>, ServerEvents>(
  createServer(),
  turbo({ ...ours, pingInterval: 10_000 }),
);
server.emit("news", "nobody hears it");
const stats: Stats = turbo.stats();
if (!native) console.error(`nothing is accelerated; ${stats.messagesIn} messages`);

converse({ Server, connect, turbo });
