// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package database tells which database the server's objects are in: an etcd
// that was emptied or exchanged answers as well as the one that it replaces.
package database

import (
	"context"
	"fmt"
	"path"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"k8s.io/apimachinery/pkg/util/uuid"
)

// name is the key of the ID below the prefix of the objects. It shares their
// fate: whoever loses, copies or restores them does so with the ID.
const name = "database-id"

// timeout bounds one request to etcd.
const timeout = 5 * time.Second

// Database is the part of an etcd below the prefix of the server's objects.
type Database struct {
	client *clientv3.Client
	// objects is what the keys of all objects begin with.
	objects string
}

// New makes a Database of what client reaches below prefix, that of --etcd-prefix.
func New(client *clientv3.Client, prefix string) *Database {
	return &Database{client: client, objects: path.Join("/", prefix) + "/"}
}

// Identify gives the database's ID, a random UUID that is made if there is none
// yet, and tells whether there are objects beside it. Of servers that identify a
// new database together one makes the ID.
func (d *Database) Identify(ctx context.Context) (id string, used bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	key, made := d.objects+name, string(uuid.NewUUID())
	// Two keys are enough to see one that is not the ID's own.
	some := clientv3.OpGet(d.objects, clientv3.WithPrefix(), clientv3.WithKeysOnly(), clientv3.WithLimit(2))
	answer, err := d.client.Txn(ctx).
		If(clientv3.Compare(clientv3.CreateRevision(key), "=", 0)).
		Then(clientv3.OpPut(key, made), some).
		Else(clientv3.OpGet(key), some).
		Commit()
	if err != nil {
		return "", false, fmt.Errorf("read the database's ID: %w", err)
	}
	id = made
	if !answer.Succeeded {
		id = string(answer.Responses[0].GetResponseRange().Kvs[0].Value)
	}
	for _, kv := range answer.Responses[1].GetResponseRange().Kvs {
		used = used || string(kv.Key) != key
	}
	return id, used, nil
}

// ID gives the database's ID, empty if there is none. Any member of etcd answers.
func (d *Database) ID(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	answer, err := d.client.Get(ctx, d.objects+name, clientv3.WithSerializable())
	if err != nil {
		return "", fmt.Errorf("read the database's ID: %w", err)
	}
	if len(answer.Kvs) == 0 {
		return "", nil
	}
	return string(answer.Kvs[0].Value), nil
}
