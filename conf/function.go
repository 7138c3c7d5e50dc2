package conf

import (
	"errors"
	"fmt"
	"math/big"
	"net/netip"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2/ext/tryfunc"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

// A secret is where a value is that only the node reads: "file:..." or "env:...".
type secret struct{ where string }

var secretType = cty.Capsule("secret", reflect.TypeFor[secret]())

// functions returns what expressions may call. What they make is taken from the
// budget, by those that can make much out of little before they make it.
func functions(b *budget, most int) map[string]function.Function {
	all := map[string]function.Function{
		"abs": stdlib.AbsoluteFunc, "ceil": stdlib.CeilFunc, "floor": stdlib.FloorFunc, "int": stdlib.IntFunc,
		"log": stdlib.LogFunc, "max": stdlib.MaxFunc, "min": stdlib.MinFunc, "pow": powFunc,
		"signum": stdlib.SignumFunc, "parseint": stdlib.ParseIntFunc,

		"chomp": stdlib.ChompFunc, "format": costly(bounded(stdlib.FormatFunc), b, formatted), "formatlist": costly(bounded(stdlib.FormatListFunc), b, formatted),
		"indent": indentFunc, "join": costly(stdlib.JoinFunc, b, joined), "lower": stdlib.LowerFunc, "upper": stdlib.UpperFunc,
		"title": stdlib.TitleFunc, "replace": costly(stdlib.ReplaceFunc, b, replaced), "regex": stdlib.RegexFunc,
		"regexall": stdlib.RegexAllFunc, "regexreplace": costly(stdlib.RegexReplaceFunc, b, replaced), "split": stdlib.SplitFunc,
		"strlen": stdlib.StrlenFunc, "strrev": stdlib.ReverseFunc, "substr": stdlib.SubstrFunc,
		"trim": stdlib.TrimFunc, "trimprefix": stdlib.TrimPrefixFunc, "trimsuffix": stdlib.TrimSuffixFunc,
		"trimspace": stdlib.TrimSpaceFunc, "startswith": startsWith, "endswith": endsWith,

		"chunklist": stdlib.ChunklistFunc, "coalesce": stdlib.CoalesceFunc, "coalescelist": stdlib.CoalesceListFunc,
		"compact": stdlib.CompactFunc, "concat": stdlib.ConcatFunc, "contains": stdlib.ContainsFunc,
		"distinct": stdlib.DistinctFunc, "element": stdlib.ElementFunc, "flatten": stdlib.FlattenFunc,
		"hasindex": stdlib.HasIndexFunc, "index": stdlib.IndexFunc, "keys": stdlib.KeysFunc, "length": stdlib.LengthFunc,
		"lookup": stdlib.LookupFunc, "merge": stdlib.MergeFunc, "range": rangeFunc(b.spend, most),
		"reverse": stdlib.ReverseListFunc, "setintersection": stdlib.SetIntersectionFunc,
		"setproduct": productFunc(b.spend, most), "setsubtract": stdlib.SetSubtractFunc, "setunion": stdlib.SetUnionFunc,
		"setsymmetricdifference": stdlib.SetSymmetricDifferenceFunc, "slice": stdlib.SliceFunc, "sort": stdlib.SortFunc,
		"values": stdlib.ValuesFunc, "zipmap": stdlib.ZipmapFunc,

		"csvdecode": stdlib.CSVDecodeFunc, "jsondecode": stdlib.JSONDecodeFunc, "jsonencode": stdlib.JSONEncodeFunc,
		"formatdate": stdlib.FormatDateFunc, "timeadd": stdlib.TimeAddFunc,

		"tobool": stdlib.MakeToFunc(cty.Bool), "tonumber": stdlib.MakeToFunc(cty.Number),
		"tostring": stdlib.MakeToFunc(cty.String), "tolist": stdlib.MakeToFunc(cty.List(cty.DynamicPseudoType)),
		"toset": stdlib.MakeToFunc(cty.Set(cty.DynamicPseudoType)), "tomap": stdlib.MakeToFunc(cty.Map(cty.DynamicPseudoType)),

		"try": tryfunc.TryFunc, "can": tryfunc.CanFunc,

		"cidrhost": cidrHost, "cidrsubnet": cidrSubnet, "cidrnetmask": cidrNetmask, "cidrcontains": cidrContains,
		"distance_km": distanceFunc, "secret": secretFunc,
	}
	for name, f := range all {
		if listed(f) || name == "tolist" || name == "toset" {
			all[name] = swift(f)
		}
		switch name {
		case "range", "setproduct": // have paid
		case "coalesce", "coalescelist", "element", "lookup", "try", "can": // make nothing
		default:
			all[name] = charged(all[name], b, name == "jsonencode")
		}
	}
	return all
}

// charged is f with what it has made on the budget, wherever it is called: the
// elements of its result, or all that is in it where it was read out of a text,
// and the letters of texts. What one call makes is worth no more than its
// arguments, so it is enough to refuse the next; one that encodes goes through
// all of its argument, which may be large beyond what it takes, and pays before.
func charged(f function.Function, b *budget, encodes bool) function.Function {
	params := slices.Clone(f.Params())
	reads := len(params) > 0 && params[0].Type == cty.String
	return function.New(&function.Spec{
		Description: f.Description(), Params: params, VarParam: f.VarParam(),
		Type: func(args []cty.Value) (cty.Type, error) {
			if b.exhausted() {
				return cty.NilType, errTooMuch
			}
			return f.ReturnTypeForValues(args)
		},
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			if encodes {
				if n, _ := inside(args[0], b.steps+1); !b.spend(n) {
					return cty.NilVal, errTooMuch
				}
			}
			v, err := f.Call(args)
			if err != nil {
				return v, err
			}
			n, _ := length(v)
			letters := 0
			if reads || v.Type() == cty.String {
				n, letters = inside(v, b.steps+1)
			}
			if !b.spend(n) || !b.write(letters) {
				return cty.NilVal, errTooMuch
			}
			return v, nil
		},
	})
}

// inside is how many values are in v, itself left out, and how many letters in
// its texts. It stops counting at most values: those that share parts can be
// exponentially large.
func inside(v cty.Value, most int) (values, letters int) {
	if v.Type() == cty.String && v.IsKnown() && !v.IsNull() {
		return 0, len(v.AsString())
	}
	if _, ok := length(v); ok {
		for it := v.ElementIterator(); it.Next() && values < most; {
			_, e := it.Element()
			n, l := inside(e, most-values-1)
			values, letters = values+1+n, letters+l
		}
	}
	return values, letters
}

// listed reports whether f takes a list or a set.
func listed(f function.Function) bool {
	params := f.Params()
	if v := f.VarParam(); v != nil {
		params = append(params, *v)
	}
	return slices.ContainsFunc(params, func(p function.Parameter) bool { return p.Type.IsListType() || p.Type.IsSetType() })
}

// swift is f with tuples made into lists by ourselves where all elements have
// one type: HCL compares each with each.
func swift(f function.Function) function.Function {
	params, rest := f.Params(), f.VarParam()
	want := func(i int) cty.Type {
		if i < len(params) {
			return params[i].Type
		}
		return rest.Type
	}
	free := func(p function.Parameter) function.Parameter {
		if p.Type.IsListType() || p.Type.IsSetType() {
			p.Type = cty.DynamicPseudoType
		}
		return p
	}
	spec := &function.Spec{Description: f.Description()}
	for _, p := range params {
		spec.Params = append(spec.Params, free(p))
	}
	if rest != nil {
		p := free(*rest)
		spec.VarParam = &p
	}
	lists := func(args []cty.Value) ([]cty.Value, error) {
		out := slices.Clone(args)
		for i, v := range args {
			if v.Type().IsTupleType() && v.IsKnown() && !v.IsNull() {
				if elems := v.AsValueSlice(); len(elems) > 0 && alike(elems) {
					out[i] = cty.ListVal(elems)
				}
			}
			c, err := convert.Convert(out[i], want(i))
			if err != nil {
				return nil, function.NewArgError(i, err)
			}
			out[i] = c
		}
		return out, nil
	}
	spec.Type = func(args []cty.Value) (cty.Type, error) {
		args, err := lists(args)
		if err != nil {
			return cty.NilType, err
		}
		return f.ReturnTypeForValues(args)
	}
	spec.Impl = func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		args, err := lists(args)
		if err != nil {
			return cty.NilVal, err
		}
		return f.Call(args)
	}
	return function.New(spec)
}

// alike reports whether all values have one type that is known.
func alike(vs []cty.Value) bool {
	ty := vs[0].Type()
	for _, v := range vs {
		if !v.Type().Equals(ty) || v.Type().HasDynamicTypes() {
			return false
		}
	}
	return true
}

// errLater is what a function says that is not acted on yet.
var errLater = errors.New("is part of the language, but this version does not act on it")

var secretFunc = function.New(&function.Spec{
	Params: []function.Parameter{{Name: "where", Type: cty.String}},
	Type:   function.StaticReturnType(secretType),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		where := args[0].AsString()
		if !strings.HasPrefix(where, "file:") && !strings.HasPrefix(where, "env:") {
			return cty.NilVal, function.NewArgErrorf(0, "must begin with \"file:\" or \"env:\"")
		}
		return cty.CapsuleVal(secretType, &secret{where}), nil
	},
})

// An excess is what a function says that is asked for too much at once.
type excess string

func (e excess) Error() string        { return string(e) }
func (e excess) Is(target error) bool { return target == errTooMuch }

func affix(has func(s, part string) bool, part string) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "str", Type: cty.String}, {Name: part, Type: cty.String}},
		Type:   function.StaticReturnType(cty.Bool),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			return cty.BoolVal(has(args[0].AsString(), args[1].AsString())), nil
		},
	})
}

var (
	startsWith = affix(strings.HasPrefix, "prefix")
	endsWith   = affix(strings.HasSuffix, "suffix")
)

// rangeFunc is range(end), range(start, end) or range(start, end, step), as
// in other HCL languages but for more than 1,024 elements.
func rangeFunc(spend func(int) bool, most int) function.Function {
	return function.New(&function.Spec{
		VarParam: &function.Parameter{Name: "numbers", Type: cty.Number},
		Type: func(args []cty.Value) (cty.Type, error) {
			if len(args) < 1 || len(args) > 3 {
				return cty.NilType, errors.New("takes an end, a start and an end, or a start, an end and a step")
			}
			return cty.List(cty.Number), nil
		},
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			start, end, step := cty.Zero, args[0], cty.NilVal
			if len(args) > 1 {
				start, end = args[0], args[1]
			}
			if len(args) > 2 {
				step = args[2]
			}
			if step == cty.NilVal {
				step = cty.NumberIntVal(1)
				if end.LessThan(start).True() {
					step = cty.NumberIntVal(-1)
				}
			}
			up := step.GreaterThan(cty.Zero).True()
			if step.RawEquals(cty.Zero) {
				return cty.NilVal, function.NewArgErrorf(2, "must not be zero")
			}
			for _, v := range []cty.Value{start, end, step} {
				if v.AsBigFloat().IsInf() {
					return cty.NilVal, errors.New("takes finite numbers")
				}
			}
			var out []cty.Value
			for v := start; v.LessThan(end).True() == up && !v.RawEquals(end); v = v.Add(step) {
				if len(out) == most {
					return cty.NilVal, excess(fmt.Sprintf("makes more than %d numbers", most))
				}
				if !spend(1) {
					return cty.NilVal, errTooMuch
				}
				out = append(out, v)
			}
			if len(out) == 0 {
				return cty.ListValEmpty(cty.Number), nil
			}
			return cty.ListVal(out), nil
		},
	})
}

// productFunc is setproduct with its result on the budget.
func productFunc(spend func(int) bool, most int) function.Function {
	p := stdlib.SetProductFunc
	return function.New(&function.Spec{
		VarParam: &function.Parameter{Name: "sets", Type: cty.DynamicPseudoType, AllowDynamicType: true, AllowUnknown: true},
		Type: func(args []cty.Value) (cty.Type, error) {
			n := 1
			for _, a := range args {
				l, ok := length(a)
				if !ok {
					continue
				}
				if n *= l; n > most {
					return cty.NilType, excess(fmt.Sprintf("makes more than %d combinations", most))
				}
			}
			if !spend(n) {
				return cty.NilType, errTooMuch
			}
			return p.ReturnTypeForValues(args)
		},
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) { return p.Call(args) },
	})
}

// Widths and precisions in a format are memory: "%1000000000d".
var wide = regexp.MustCompile(`%[^a-zA-Z%]*([0-9]{4,}|\*)`)

func bounded(f function.Function) function.Function {
	return function.New(&function.Spec{
		Params:   f.Params(),
		VarParam: f.VarParam(),
		Type: func(args []cty.Value) (cty.Type, error) {
			if a := args[0]; a.Type() == cty.String && a.IsKnown() && !a.IsNull() && wide.MatchString(a.AsString()) {
				return cty.NilType, function.NewArgErrorf(0, "has a width or precision above 999")
			}
			return f.ReturnTypeForValues(args)
		},
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) { return f.Call(args) },
	})
}

// costly is f, whose result is at most as long as cost says, on the budget.
func costly(f function.Function, b *budget, cost func(args []cty.Value) int) function.Function {
	return function.New(&function.Spec{
		Params:   f.Params(),
		VarParam: f.VarParam(),
		Type:     func(args []cty.Value) (cty.Type, error) { return f.ReturnTypeForValues(args) },
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			if !b.write(cost(args)) {
				return cty.NilVal, errTooMuch
			}
			return f.Call(args)
		},
	})
}

// joined is the length of join(separator, lists...).
func joined(args []cty.Value) int {
	sep, _ := text(args[0])
	n := 0
	for _, l := range args[1:] {
		if _, ok := length(l); !ok {
			continue
		}
		for it := l.ElementIterator(); it.Next(); {
			_, v := it.Element()
			s, _ := text(v)
			n += len(sep) + len(s)
		}
	}
	return n
}

// formatted is the greatest length of format(spec, args...), and of what
// formatlist makes.
func formatted(args []cty.Value) int {
	spec, _ := text(args[0])
	longest, lines := 0, 1
	widest := func(v cty.Value) {
		s, _ := text(v)
		longest = max(longest, len(s))
	}
	for _, v := range args[1:] {
		n, ok := length(v)
		if !ok {
			widest(v)
			continue
		}
		lines = max(lines, n)
		for it := v.ElementIterator(); it.Next(); {
			_, e := it.Element()
			widest(e)
		}
	}
	return lines * (len(spec) + strings.Count(spec, "%")*longest)
}

// replaced is the greatest length of replace(text, part, by).
func replaced(args []cty.Value) int {
	s, _ := text(args[0])
	by, _ := text(args[2])
	return (len(s) + 1) * (len(by) + 1)
}

var indentFunc = function.New(&function.Spec{
	Params: []function.Parameter{{Name: "spaces", Type: cty.Number}, {Name: "str", Type: cty.String}},
	Type:   function.StaticReturnType(cty.String),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		n, acc := args[0].AsBigFloat().Int64()
		if acc != big.Exact || n < 0 || n > 999 {
			return cty.NilVal, function.NewArgErrorf(0, "must be a whole number from 0 to 999")
		}
		return stdlib.Indent(args[0], args[1])
	},
})

// powFunc is pow for results that are numbers.
var powFunc = function.New(&function.Spec{
	Params: []function.Parameter{{Name: "num", Type: cty.Number}, {Name: "power", Type: cty.Number}},
	Type:   function.StaticReturnType(cty.Number),
	Impl: func(args []cty.Value, _ cty.Type) (v cty.Value, err error) {
		defer func() {
			if recover() != nil {
				v, err = cty.NilVal, errors.New("has no number as its result")
			}
		}()
		return stdlib.Pow(args[0], args[1])
	},
})

// prefixArg reads argument i as a prefix.
func prefixArg(args []cty.Value, i int) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(args[i].AsString())
	if err != nil {
		return p, function.NewArgErrorf(i, "%q is not a prefix such as \"192.0.2.0/24\"", args[i].AsString())
	}
	return p.Masked(), nil
}

// wholeArg reads argument i as a whole number.
func wholeArg(args []cty.Value, i int) (*big.Int, error) {
	n, acc := args[i].AsBigFloat().Int(nil)
	if acc != big.Exact || n == nil || n.BitLen() > 200 {
		return nil, function.NewArgErrorf(i, "must be a whole number")
	}
	return n, nil
}

// add returns the address that lies n after a.
func add(a netip.Addr, n *big.Int) (netip.Addr, bool) {
	sum := new(big.Int).Add(new(big.Int).SetBytes(a.AsSlice()), n)
	if sum.Sign() < 0 || sum.BitLen() > a.BitLen() {
		return a, false
	}
	b := make([]byte, a.BitLen()/8)
	out, ok := netip.AddrFromSlice(sum.FillBytes(b))
	return out, ok
}

var cidrHost = function.New(&function.Spec{
	Params: []function.Parameter{{Name: "prefix", Type: cty.String}, {Name: "host", Type: cty.Number}},
	Type:   function.StaticReturnType(cty.String),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		p, err := prefixArg(args, 0)
		if err != nil {
			return cty.NilVal, err
		}
		n, err := wholeArg(args, 1)
		if err != nil {
			return cty.NilVal, err
		}
		size := new(big.Int).Lsh(big.NewInt(1), uint(p.Addr().BitLen()-p.Bits()))
		if n.Sign() < 0 { // from the end
			n.Add(n, size)
		}
		if n.Sign() < 0 || n.Cmp(size) >= 0 {
			return cty.NilVal, function.NewArgErrorf(1, "%s has no host %s: it has %s addresses", p, args[1].AsBigFloat().Text('f', 0), size)
		}
		a, _ := add(p.Addr(), n)
		return cty.StringVal(a.String()), nil
	},
})

var cidrSubnet = function.New(&function.Spec{
	Params: []function.Parameter{
		{Name: "prefix", Type: cty.String}, {Name: "newbits", Type: cty.Number}, {Name: "netnum", Type: cty.Number},
	},
	Type: function.StaticReturnType(cty.String),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		p, err := prefixArg(args, 0)
		if err != nil {
			return cty.NilVal, err
		}
		more, err := wholeArg(args, 1)
		if err != nil {
			return cty.NilVal, err
		}
		n, err := wholeArg(args, 2)
		if err != nil {
			return cty.NilVal, err
		}
		room := p.Addr().BitLen() - p.Bits()
		if more.Sign() < 0 || more.Cmp(big.NewInt(int64(room))) > 0 {
			return cty.NilVal, function.NewArgErrorf(1, "%s can be split by 0 to %d bits", p, room)
		}
		bits := p.Bits() + int(more.Int64())
		if n.Sign() < 0 || n.BitLen() > int(more.Int64()) {
			return cty.NilVal, function.NewArgErrorf(2, "%s has no /%d of number %s", p, bits, n)
		}
		a, _ := add(p.Addr(), n.Lsh(n, uint(p.Addr().BitLen()-bits)))
		return cty.StringVal(netip.PrefixFrom(a, bits).String()), nil
	},
})

var cidrNetmask = function.New(&function.Spec{
	Params: []function.Parameter{{Name: "prefix", Type: cty.String}},
	Type:   function.StaticReturnType(cty.String),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		p, err := prefixArg(args, 0)
		if err != nil {
			return cty.NilVal, err
		}
		ones := make([]byte, p.Addr().BitLen()/8)
		for i := range p.Bits() {
			ones[i/8] |= 0x80 >> (i % 8)
		}
		a, _ := netip.AddrFromSlice(ones)
		return cty.StringVal(a.String()), nil
	},
})

var cidrContains = function.New(&function.Spec{
	Params: []function.Parameter{{Name: "prefix", Type: cty.String}, {Name: "address", Type: cty.String}},
	Type:   function.StaticReturnType(cty.Bool),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		p, err := prefixArg(args, 0)
		if err != nil {
			return cty.NilVal, err
		}
		if a, err := netip.ParseAddr(args[1].AsString()); err == nil {
			return cty.BoolVal(p.Contains(a)), nil
		}
		q, err := prefixArg(args, 1)
		if err != nil {
			return cty.NilVal, function.NewArgErrorf(1, "%q is neither an address nor a prefix", args[1].AsString())
		}
		return cty.BoolVal(q.Bits() >= p.Bits() && p.Contains(q.Addr())), nil
	},
})

// text is v as a string, where it has one.
func text(v cty.Value) (string, bool) {
	if v.IsNull() || !v.IsKnown() || !v.Type().IsPrimitiveType() {
		return "", false
	}
	switch v.Type() {
	case cty.String:
		return v.AsString(), true
	case cty.Number: // the library makes decimal digits of every number
		if n, acc := v.AsBigFloat().Int64(); acc == big.Exact {
			return strconv.FormatInt(n, 10), true
		}
	}
	s, err := convert.Convert(v, cty.String)
	if err != nil {
		return "", false
	}
	return s.AsString(), true
}
