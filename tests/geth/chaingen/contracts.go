package main

import (
	"encoding/binary"
	"slices"

	"github.com/ethereum/go-ethereum/common"
)

// Hand-assembled contracts. None uses an opcode younger than Frontier unless it says so: they run in every fork.
var (
	// storeCode: 64 bytes of input store word 2 at slot word 1; 32 bytes return the slot.
	storeCode = common.FromHex("36602014600f576020356000355500" + "5b6000355460005260206000f3")
	// loggerCode logs its input with 0, 1, 2, 3 and 4 topics: 1, 2, the caller, the block number.
	loggerCode = common.FromHex("366000600037" + "366000a0" + "6001366000a1" + "60026001366000a2" +
		"3360026001366000a3" + "433360026001366000a4" + "00")
	// revertCode reverts with Error("not today"). REVERT is Byzantium's; before, it is an invalid opcode.
	revertCode = append(common.FromHex("6064600c6000396064"+"6000fd"), revertData...)
	revertData = slices.Concat(common.FromHex("08c379a0"), word(32), word(9), common.RightPadBytes([]byte("not today"), 32))
	// makerCode creates a contract from its input by CREATE2 with salt 0 and returns its address (Constantinople).
	makerCode = common.FromHex("366000600037" + "600036600034f5" + "60005260206000f3")
	// flashCode does the same and calls the new contract at once: created and destroyed in one transaction.
	flashCode = common.FromHex("366000600037" + "600036600034f5" + "60006000600060006000855af1" + "00")
	// mortalCode gives its balance to the caller and destroys itself.
	mortalCode = common.FromHex("33ff")
	// mortalInit stores to slots 1 and 2, then deploys mortalCode.
	mortalInit = deploy(common.FromHex("600760015560086002"+"55"), mortalCode)
	// dirtyInit stores to a slot and then fails: a creation that costs all gas.
	dirtyInit = common.FromHex("6001600155fe")
)

// deploy is init code that runs prefix and returns runtime.
func deploy(prefix, runtime []byte) []byte {
	size := binary.BigEndian.AppendUint16(nil, uint16(len(runtime)))
	copying := slices.Concat([]byte{0x61}, size, []byte{0x80, 0x60, byte(len(prefix) + 12), 0x60, 0x00, 0x39, 0x60, 0x00, 0xf3})
	return slices.Concat(prefix, copying, runtime)
}

func word(value uint64) []byte {
	return common.LeftPadBytes(binary.BigEndian.AppendUint64(nil, value), 32)
}
