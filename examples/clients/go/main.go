// A client of Socket.IO: it connects, sends an event, and prints the answer of the server.
package main

import (
	"fmt"
	"log"
	"os"

	"github.com/zishang520/socket.io/clients/engine/v3/transports"
	"github.com/zishang520/socket.io/clients/socket/v3"
	"github.com/zishang520/socket.io/v3/pkg/types"
)

func main() {
	url := "http://localhost:3000"
	if len(os.Args) > 1 {
		url = os.Args[1]
	}
	options := socket.DefaultOptions()
	options.SetTransports(types.NewSet(transports.WebSocket))
	client, err := socket.Connect(url, options)
	if err != nil {
		log.Fatal(err)
	}

	answers := make(chan any)
	client.On("connect", func(...any) {
		client.Emit("hello", "Go", func(answer []any, err error) {
			answers <- answer[0]
		})
	})
	client.On("connect_error", func(problem ...any) {
		log.Println(problem...)
	})

	fmt.Println(<-answers)
	client.Disconnect()
}
