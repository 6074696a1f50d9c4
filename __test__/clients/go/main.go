// The program of github.com/zishang520/socket.io/clients/socket: `main URL TRANSPORT RECOVERY-URL`. It does
// what ../javascript/program.js does, and prints one line of JSON for each feature.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/zishang520/socket.io/clients/engine/v3/transports"
	"github.com/zishang520/socket.io/clients/socket/v3"
	"github.com/zishang520/socket.io/v3/pkg/types"
)

const (
	patience   = 30 * time.Second
	heartbeats = 6
	mib        = 1024 * 1024
	text       = "žluťoučký kůň 你好 😀 \u0000\u2028"
)

var (
	url         = os.Args[1]
	transport   = os.Args[2]
	recoveryURL = os.Args[3]
	values      = []any{text, 0, -1.5, true, nil, []any{1, []any{2, map[string]any{"three": text}}}, map[string]any{}}
)

// client is a connection of its own.
type client struct{ *socket.Socket }

// prepare returns a client that is to connect to a namespace of a server.
func prepare(origin, namespace string, auth map[string]any) client {
	options := socket.DefaultOptions()
	switch transport {
	case "polling":
		options.SetTransports(types.NewSet(transports.Polling))
	case "websocket":
		options.SetTransports(types.NewSet(transports.WebSocket))
	default:
		options.SetTransports(types.NewSet(transports.Polling, transports.WebSocket))
	}
	options.SetForceNew(true)
	// Listeners come first.
	options.SetAutoConnect(false)
	// About one attempt in 400 gets stuck, with stock servers too; the library notices by this timeout.
	options.SetTimeout(2 * time.Second)
	options.SetReconnectionDelay(20)
	options.SetReconnectionDelayMax(100)
	if auth != nil {
		options.SetAuth(auth)
	}
	it, err := socket.Connect(origin+namespace, options)
	if err != nil {
		panic(err)
	}
	return client{it}
}

// enter connects to a namespace.
func enter(origin, namespace string, auth map[string]any) (client, error) {
	it := prepare(origin, namespace, auth)
	connected := it.inbox("connect")
	it.Connect()
	_, err := take(connected, "connect")
	return it, err
}

// inbox returns the arguments of each event that is received from now on.
func (it client) inbox(event string) chan []any {
	events := make(chan []any, 16)
	it.On(types.EventName(event), func(args ...any) { events <- args })
	return events
}

// take returns the next arguments.
func take(events chan []any, what string) ([]any, error) {
	select {
	case args := <-events:
		return args, nil
	case <-time.After(patience):
		return nil, fmt.Errorf("no %s", what)
	}
}

// call emits an event, and returns the arguments of its acknowledgement.
func (it client) call(event string, args ...any) ([]any, error) {
	answers := make(chan []any, 1)
	it.Emit(event, append(args, func(answer []any, _ error) { answers <- answer })...)
	return take(answers, "answer to "+event)
}

// is returns an error if the first values are not those that are expected.
func is(err error, actual []any, expected ...any) error {
	if err != nil {
		return err
	}
	got, _ := json.Marshal(plain(actual))
	wanted, _ := json.Marshal(plain(expected))
	if !bytes.Equal(got, wanted) {
		return fmt.Errorf("%.200s is not %.200s", got, wanted)
	}
	return nil
}

// plain returns a value with readers replaced by their bytes.
func plain(value any) any {
	switch it := value.(type) {
	case []any:
		all := make([]any, len(it))
		for i, each := range it {
			all[i] = plain(each)
		}
		return all
	case map[string]any:
		all := make(map[string]any, len(it))
		for key, each := range it {
			all[key] = plain(each)
		}
		return all
	case io.Reader:
		read, _ := io.ReadAll(it)
		return read
	}
	return value
}

func octets(length int) []byte {
	all := make([]byte, length)
	for i := range all {
		all[i] = byte(i)
	}
	return all
}

func testTransport(it client) error {
	name := transport
	if name == "upgrade" {
		name = "websocket"
	}
	answer, err := it.call("carrier", name)
	return is(err, answer, name)
}

func testEvents(it client) error {
	said := it.inbox("said")
	it.Emit("say", values...)
	args, err := take(said, "said")
	return is(err, args, values...)
}

func testAcknowledgements(it client) error {
	answer, err := it.call("echo", values...)
	return is(err, answer, values...)
}

func testAnswers(it client) error {
	it.On("question", func(args ...any) {
		args[1].(func([]any, error))([]any{args[0].(string) + "!"}, nil)
	})
	answer, err := it.call("ask", text)
	return is(err, answer, text+"!")
}

func testRooms(it client) error {
	other, err := enter(url, "/", nil)
	if err != nil {
		return err
	}
	told := []chan []any{it.inbox("told"), other.inbox("told")}
	if _, err := it.call("join", "room"); err != nil {
		return err
	}
	it.Emit("tell", "room", "not to me")
	it.Emit("announce", "nobody", "to nobody")
	it.Emit("announce", "room", "to one")
	if _, err := it.call("echo"); err != nil {
		return err
	}
	if _, err := other.call("join", "room"); err != nil {
		return err
	}
	it.Emit("tell", "room", "to the other")
	it.Emit("announce", "room", "to both")
	for i, expected := range [][]string{{"to one", "to both"}, {"to the other", "to both"}} {
		for _, words := range expected {
			args, err := take(told[i], "told")
			if err := is(err, args, words); err != nil {
				return err
			}
		}
	}
	return nil
}

// testBinary has the server send back octets.
func testBinary(it client, all []byte) error {
	said := it.inbox("said")
	it.Emit("say", all)
	args, err := take(said, "said")
	return is(err, args, all)
}

func testNestedBinary(it client) error {
	deep := map[string]any{"deep": []any{octets(256)}}
	answer, err := it.call("echo", deep)
	return is(err, answer, deep)
}

// testNamespace enters a namespace, and asks the server for it.
func testNamespace(namespace string, auth map[string]any) error {
	it, err := enter(url, namespace, auth)
	if err != nil {
		return err
	}
	answer, err := it.call("where")
	return is(err, answer, namespace)
}

func testRefusal(client) error {
	refused := prepare(url, "/private", map[string]any{"token": "wrong"})
	errs := refused.inbox("connect_error")
	refused.Connect()
	args, err := take(errs, "connect_error")
	for err == nil && fmt.Sprint(args[0]) == "timeout" {
		args, err = take(errs, "connect_error")
	}
	if err != nil {
		return err
	}
	refusal, isRefusal := args[0].(*types.ExtendedError)
	if !isRefusal {
		return fmt.Errorf("%v", args[0])
	}
	data := map[string]any{"code": 7}
	if err := is(nil, []any{refusal.Error(), refusal.Data}, "wrong token, žluťoučký", data); err != nil {
		return err
	}
	return testNamespace("/private", map[string]any{"token": "right"})
}

func testLarge(it client) error {
	long := strings.Repeat(text, mib/len(text))
	answer, err := it.call("echo", long)
	if err := is(err, answer, long); err != nil {
		return err
	}
	return testBinary(it, octets(mib))
}

func testRecovery(client) error {
	it, err := enter(recoveryURL, "/", nil)
	if err != nil {
		return err
	}
	said, missed := it.inbox("said"), it.inbox("missed")
	// The server sends the offset with it.
	it.Emit("say")
	if _, err := take(said, "said"); err != nil {
		return err
	}
	id := it.Id()
	it.Emit("drop")
	args, err := take(missed, "missed")
	if err != nil {
		return err
	}
	return is(nil, []any{args[0], it.Recovered(), it.Id()}, "while you were away", true, id)
}

func testRestart(it client) error {
	gone, back := it.inbox("disconnect"), it.inbox("connect")
	it.Emit("restart")
	if _, err := take(gone, "disconnect"); err != nil {
		return err
	}
	if _, err := take(back, "connect"); err != nil {
		return err
	}
	answer, err := it.call("echo", text)
	return is(err, answer, text)
}

func main() {
	// The library begins to connect before it listens, and sets its timeout, which on several threads got
	// stuck or lost a connection in one run of 100, with stock servers too.
	runtime.GOMAXPROCS(1)
	it, err := enter(url, "/", nil)
	idle, idleErr := enter(url, "/", nil)
	if err = errors.Join(err, idleErr); err != nil {
		panic(err)
	}
	alive := idle.inbox("alive")
	idle.Emit("idle", heartbeats)
	report := func(feature, note string, err error) {
		if err != nil {
			note = err.Error()
		}
		line, _ := json.Marshal(map[string]any{"feature": feature, "ok": err == nil, "note": note})
		fmt.Println(string(line))
	}
	report("transport", "", testTransport(it))
	report("events", "", testEvents(it))
	report("acknowledgements", "", testAcknowledgements(it))
	report("answers", "", testAnswers(it))
	report("rooms", "", testRooms(it))
	report("binary", "", testBinary(it, octets(256)))
	report("nested binary", "", testNestedBinary(it))
	report("namespaces", "", testNamespace("/news", nil))
	report("refusal", "", testRefusal(it))
	report("dynamic namespaces", "", testNamespace("/room-42", nil))
	report("1 MiB", "", testLarge(it))
	report("recovery", "", testRecovery(it))
	args, err := take(alive, "alive")
	report("heartbeats", "", is(err, args, heartbeats))
	leaver, err := enter(url, "/", nil)
	gone := leaver.inbox("disconnect")
	leaver.Emit("leave")
	args, goneErr := take(gone, "disconnect")
	report("disconnection", fmt.Sprint(append(args, "")[0]), errors.Join(err, goneErr))
	report("restart", "", testRestart(it))
}
