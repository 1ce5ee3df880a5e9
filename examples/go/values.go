package codechat

import "log/slog"

var levels = map[string]slog.Level{"trace": -8, "debug": -4, "info": 0, "warn": 4, "error": 8}

func value(v slog.Value) any { // what becomes JSON whatever it is
	switch v.Kind() {
	case slog.KindGroup:
		return Handler{}.with(nil, v.Group()...)
	case slog.KindInt64, slog.KindUint64, slog.KindBool:
		return v.Any()
	}
	return v.String()
}

func word(level slog.Level) string {
	for _, it := range []string{"error", "warn", "info", "debug"} {
		if level >= levels[it] {
			return it
		}
	}
	return "trace"
}

func cut(text string, length int) string {
	if characters := []rune(text); len(characters) > length {
		return string(characters[:length])
	}
	return text
}
