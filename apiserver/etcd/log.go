// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"maps"
	"slices"
	"sync/atomic"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"k8s.io/klog/v2"
)

// noise are warnings that ask nobody to do anything: two about features that a
// member without network has no use for, one that repeats "apply request took too
// long" for each request, and one about errors that the caller of the client gets.
var noise = []string{
	"Running http and grpc server on single port. This is not recommended for production.",
	"simple token is not cryptographically signed",
	"request stats",
	"retrying of unary invoker failed",
}

// newLogger passes what etcd logs on to klog: warnings and errors as such, noise
// and the rest at verbosity 4. Once stopping is true, all is the rest: etcd calls
// it an error that its listeners were closed.
func newLogger(logger klog.Logger, stopping *atomic.Bool) *zap.Logger {
	return zap.New(klogCore{logger: logger.WithName("etcd"), stopping: stopping})
}

// klogCore is a zapcore.Core. It does not pass on stack traces, which etcd adds
// to each error.
type klogCore struct {
	logger   klog.Logger
	stopping *atomic.Bool
}

func (c klogCore) Enabled(level zapcore.Level) bool {
	return level >= zapcore.WarnLevel || c.logger.V(4).Enabled()
}

func (c klogCore) With(fields []zapcore.Field) zapcore.Core {
	return klogCore{logger: c.logger.WithValues(keysAndValues(fields)...), stopping: c.stopping}
}

func (c klogCore) Check(entry zapcore.Entry, checked *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if c.Enabled(entry.Level) {
		return checked.AddCore(entry, c)
	}
	return checked
}

func (c klogCore) Write(entry zapcore.Entry, fields []zapcore.Field) error {
	switch {
	case c.stopping.Load() || slices.Contains(noise, entry.Message):
		c.logger.V(4).Info(entry.Message, keysAndValues(fields)...)
	case entry.Level >= zapcore.ErrorLevel:
		c.logger.Error(nil, entry.Message, keysAndValues(fields)...)
	case entry.Level == zapcore.WarnLevel:
		c.logger.Info(entry.Message, keysAndValues(fields)...)
	default:
		c.logger.V(4).Info(entry.Message, keysAndValues(fields)...)
	}
	return nil
}

func (c klogCore) Sync() error {
	klog.Flush()
	return nil
}

func keysAndValues(fields []zapcore.Field) []any {
	encoder := zapcore.NewMapObjectEncoder()
	for _, field := range fields {
		field.AddTo(encoder)
	}
	var list []any
	for _, key := range slices.Sorted(maps.Keys(encoder.Fields)) {
		list = append(list, key, encoder.Fields[key])
	}
	return list
}
