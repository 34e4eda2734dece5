// client MASTER REPLICA REPLICA_WS CONTRACT BLOCK KEY: what geth's own client library is told by both sides, compared as
// JSON of its typed results; then subscriptions and a transaction of its own on the replica alone.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/ethereum/go-ethereum/ethclient/gethclient"
)

const (
	agreedMin  = 100
	printedMax = 5
	// Blocks come every second.
	soon = 30 * time.Second
)

// side is one of the two, by both of geth's client packages.
type side struct {
	eth  *ethclient.Client
	geth *gethclient.Client
}

func dial(url string) side {
	client, err := ethclient.Dial(url)
	must(err)
	return side{client, gethclient.New(client.Client())}
}

// asked compares, and remembers where answers differed.
type asked struct {
	ctx             context.Context
	master, replica side
	agreed          int
	differ          []string
}

// both asks both sides; errors are part of the answers.
func (a *asked) both(name string, call func(side) (any, error)) {
	theirs, ours := outcome(call(a.master)), outcome(call(a.replica))
	a.holds(fmt.Sprintf("%s: geth %.300s, replica %.300s", name, theirs, ours), theirs == ours)
}

func outcome(value any, err error) string {
	if err != nil {
		return "error: " + err.Error()
	}
	text, err := json.Marshal(value)
	must(err)
	return string(text)
}

// holds counts something that only the replica can be asked.
func (a *asked) holds(name string, truth bool) {
	if truth {
		a.agreed++
	} else {
		a.differ = append(a.differ, name)
	}
}

func must(err error) {
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

func main() {
	if len(os.Args) != 7 {
		fmt.Println("usage: client MASTER REPLICA REPLICA_WS CONTRACT BLOCK KEY")
		os.Exit(2)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 4*soon)
	defer cancel()
	block, err := strconv.ParseUint(os.Args[5], 10, 64)
	must(err)
	key, err := crypto.HexToECDSA(os.Args[6][2:])
	must(err)
	a := &asked{ctx: ctx, master: dial(os.Args[1]), replica: dial(os.Args[2])}
	at := network{common.HexToAddress(os.Args[4]), crypto.PubkeyToAddress(key.PublicKey), block}
	a.blocks(at)
	a.calls(at)
	a.node(at)
	must(a.subscriptions(dial(os.Args[3]), at))
	must(a.transaction(at, key))
	for _, name := range a.differ[:min(len(a.differ), printedMax)] {
		fmt.Println(name)
	}
	fmt.Printf("%d agree, %d differ\n", a.agreed, len(a.differ))
	if a.agreed < agreedMin || len(a.differ) > 0 {
		os.Exit(1)
	}
}
