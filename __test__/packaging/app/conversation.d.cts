export function converse(packages: {
  Server: typeof import("socket.io").Server;
  connect: typeof import("socket.io-client").io;
  turbo: typeof import("socket.io-turbo").turbo;
}): Promise<void>;
