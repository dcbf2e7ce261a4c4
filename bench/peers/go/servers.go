// SPDX-License-Identifier: MIT

package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"runtime"
)

// As bench/net/serve.h says: a listening socket comes as this descriptor.
const listenerNumber = 3

// A goroutine for each connection.
func serveEcho(listener net.Listener) error {
	for {
		connection, err := listener.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer connection.Close()
			var input [2048]byte
			for {
				count, err := connection.Read(input[:])
				if err != nil {
					return
				}
				if _, err = connection.Write(input[:count]); err != nil {
					return
				}
			}
		}()
	}
}

func serveHello(listener net.Listener) error {
	hello := []byte("Hello, world\n")
	return http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		w.Write(hello)
	}))
}

func serveFile(listener net.Listener, path string) error {
	return http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.ServeFile(w, r, path)
	}))
}

func serve(a []string) {
	what, workers, hogs := a[2], int(number(a[4])), int(number(a[5]))
	runtime.GOMAXPROCS(workers)
	listener, err := net.FileListener(os.NewFile(listenerNumber, "listener"))
	if err != nil {
		fail(err.Error())
	}
	for i := 0; i < hogs; i++ {
		go func() {
			for turns := 0; ; turns++ {
			}
		}()
	}
	switch what {
	case "echo":
		err = serveEcho(listener)
	case "http-hello":
		err = serveHello(listener)
	case "http-file":
		err = serveFile(listener, a[6])
	default:
		err = fmt.Errorf("go does not serve %s", what)
	}
	fail(err.Error())
}
