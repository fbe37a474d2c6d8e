# Varnish, as well as it can be told to bear its origins' bad days.
vcl 4.1;
import directors;

probe healthz { .url = "/healthz"; .interval = 200ms; .timeout = 500ms; .window = 5; .threshold = 3; .initial = 3; }
backend a {
    .host = "127.0.0.1"; .port = "@ORIGIN_A@"; .probe = healthz;
    .connect_timeout = 500ms; .first_byte_timeout = 1s; .between_bytes_timeout = 1s;
}
backend b {
    .host = "127.0.0.1"; .port = "@ORIGIN_B@"; .probe = healthz;
    .connect_timeout = 500ms; .first_byte_timeout = 1s; .between_bytes_timeout = 1s;
}

sub vcl_init {
    new api = directors.round_robin();
    api.add_backend(a);
    api.add_backend(b);
}

sub vcl_recv {
    set req.backend_hint = api.backend();
    if (req.url ~ "^/dynamic/") { return (pass); }
}

sub choose_other {
    if (beresp.backend == a) { set bereq.backend = b; } else { set bereq.backend = a; }
}

sub vcl_backend_response {
    # A body that breaks off can only be asked for again where nobody has seen its beginning.
    set beresp.do_stream = false;
    set beresp.grace = 1d;
    if (beresp.status >= 500) {
        if (bereq.retries < 3) { call choose_other; return (retry); }
        # What is stale is better than that.
        if (bereq.is_bgfetch) { return (abandon); }
    }
}

sub vcl_backend_error {
    if (bereq.retries < 3) { call choose_other; return (retry); }
}
