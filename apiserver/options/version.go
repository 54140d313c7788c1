// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package options

import (
	"fmt"
	"runtime/debug"
	"strings"

	"k8s.io/apimachinery/pkg/util/version"
	apimachineryversion "k8s.io/apimachinery/pkg/version"
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	basecompatibility "k8s.io/component-base/compatibility"
	"k8s.io/component-base/featuregate"
	baseversion "k8s.io/component-base/version"
)

// ComponentName is the component whose version and feature gates flags such as
// --emulated-version=mesh=0.1 speak of.
const ComponentName = "mesh"

// binaryVersion is the minor release that this source is.
const binaryVersion = "0.1"

// registerComponent registers the effective version and the feature gates of
// this component, and of the API server library below it, whose version follows
// (KEP-4330).
func registerComponent(registry basecompatibility.ComponentGlobalsRegistry) error {
	registry.ComponentGlobalsOrRegister(ComponentName,
		basecompatibility.NewEffectiveVersionFromString(binaryVersion, "", ""),
		featuregate.NewVersionedFeatureGate(version.MustParse(binaryVersion)))
	registry.ComponentGlobalsOrRegister(basecompatibility.DefaultKubeComponent,
		basecompatibility.NewEffectiveVersionFromString(baseversion.DefaultKubeBinaryVersion, "", ""),
		utilfeature.DefaultMutableFeatureGate)
	if err := registry.SetVersionMapping(ComponentName, basecompatibility.DefaultKubeComponent, kubeVersionOf); err != nil {
		return fmt.Errorf("map the version of %s to Kubernetes: %w", ComponentName, err)
	}
	return nil
}

// kubeVersionOf says which Kubernetes release a release of the mesh is built
// on: all so far on the one that this source is compiled with.
func kubeVersionOf(*version.Version) *version.Version {
	return version.MustParse(baseversion.DefaultKubeBinaryVersion)
}

// stampedVersion is an effective version that tells in /version which build
// this is. The Kubernetes library would tell its own.
type stampedVersion struct {
	basecompatibility.EffectiveVersion
}

func (v stampedVersion) Info() *apimachineryversion.Info {
	info := v.EffectiveVersion.Info()
	info.Major, info.Minor, _ = strings.Cut(binaryVersion, ".")
	build := BuildVersion()
	info.GitVersion = build.GitVersion
	info.GitCommit = build.GitCommit
	info.GitTreeState = build.GitTreeState
	info.BuildDate = build.BuildDate
	return info
}

// BuildVersion is what the Go toolchain wrote into the binary about its source.
func BuildVersion() apimachineryversion.Info {
	info := baseversion.Get()
	info.GitVersion, info.GitCommit, info.GitTreeState, info.BuildDate = "v"+binaryVersion+".0-unknown", "", "", ""
	build, ok := debug.ReadBuildInfo()
	if !ok {
		return info
	}
	if v := build.Main.Version; v != "" && v != "(devel)" {
		info.GitVersion = v
	}
	for _, setting := range build.Settings {
		switch setting.Key {
		case "vcs.revision":
			info.GitCommit = setting.Value
		case "vcs.time":
			info.BuildDate = setting.Value
		case "vcs.modified":
			info.GitTreeState = map[string]string{"true": "dirty", "false": "clean"}[setting.Value]
		}
	}
	return info
}
