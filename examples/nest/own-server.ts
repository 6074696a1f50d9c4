import "reflect-metadata";
import { Controller, Get, Module } from "@nestjs/common";
import { NestFactory } from "@nestjs/core";
import { ExpressAdapter } from "@nestjs/platform-express";
import { IoAdapter } from "@nestjs/platform-socket.io";
import { SubscribeMessage, WebSocketGateway, WebSocketServer } from "@nestjs/websockets";
import type { Server, ServerOptions, Socket } from "socket.io";
import { turbo } from "socket.io-turbo";

class TurboExpressAdapter extends ExpressAdapter {
  override initHttpServer() {
    this.httpServer = turbo.createServer(this.getInstance());
  }
}

class TurboIoAdapter extends IoAdapter {
  override createIOServer(port: number, options?: ServerOptions) {
    return super.createIOServer(port, turbo(options) as ServerOptions);
  }
}

@WebSocketGateway()
class ChatGateway {
  @WebSocketServer()
  private readonly io!: Server;

  @SubscribeMessage("say")
  say(_socket: Socket, text: string) {
    this.io.emit("said", text);
  }
}

@Controller()
class HealthController {
  @Get("health")
  health() {
    return { native: turbo.native, connections: turbo.stats().connections.native };
  }
}

@Module({ controllers: [HealthController], providers: [ChatGateway] })
class AppModule {}

const app = await NestFactory.create(AppModule, new TurboExpressAdapter(), {
  logger: ["error", "warn"],
});
app.useWebSocketAdapter(new TurboIoAdapter(app));
await app.listen(process.env.PORT ?? 3000);
console.log(await app.getUrl());

process.once("SIGTERM", () => app.close());
