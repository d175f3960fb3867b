/* A plugin that does what its settings say, all of it bad. Only the interface's layout is taken from outside. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#pragma pack(push, 1)
struct event { uint64_t ts, tid; uint32_t len; uint16_t type; uint32_t nparams; uint32_t lens[2]; uint32_t id; char data[8]; };
#pragma pack(pop)
struct init_input { const char *config; void *owner; const char *(*error)(void *); const void *tables; void *log; };
struct field { void *res; uint64_t res_len; uint32_t id; const char *name, *key; uint64_t index; uint32_t present, type, list; };
struct extract_input { void *owner; void *error; uint32_t count; struct field *fields; };

static char mode[32];
static struct event event;
static struct event *events[1] = { &event };
static uint64_t number = 7;
static const char *text = "fine";
static void *place;
static int batches;

const char *plugin_get_required_api_version(void) { return "3.0.0"; }
const char *plugin_get_name(void) { return "misbehaving"; }
const char *plugin_get_version(void) { return "0.0.1"; }
const char *plugin_get_description(void) { return "does harm"; }
const char *plugin_get_contact(void) { return "nobody"; }
const char *plugin_get_last_error(void *s) { (void)s; return "my own words"; }
uint32_t plugin_get_id(void) { return 999; }
const char *plugin_get_event_source(void) { return "harm"; }
const char *plugin_get_fields(void) {
    return "[{\"type\":\"uint64\",\"name\":\"harm.n\",\"desc\":\"a number\"},"
           "{\"type\":\"string\",\"name\":\"harm.s\",\"desc\":\"a text\"}]";
}
void *plugin_init(const struct init_input *in, int32_t *rc) {
    strncpy(mode, in->config, sizeof mode - 1);
    *rc = strcmp(mode, "init-fails") == 0;
    if (strcmp(mode, "init-hangs") == 0) for (;;) sleep(1);
    return mode;
}
void plugin_destroy(void *s) { (void)s; }
void *plugin_open(void *s, const char *params, int32_t *rc) {
    (void)s; (void)params;
    *rc = strcmp(mode, "open-fails") == 0;
    return &event;
}
void plugin_close(void *s, void *i) { (void)s; (void)i; }
int32_t plugin_next_batch(void *s, void *i, uint32_t *n, struct event ***out) {
    (void)s; (void)i;
    batches++;
    memset(&event, 0, sizeof event);
    event.ts = 1000 + batches;
    event.len = sizeof event;
    event.type = 322;
    event.nparams = 2;
    event.lens[0] = 4;
    event.lens[1] = 8;
    memcpy(event.data, "payload", 8);
    *n = 1;
    *out = events;
    if (batches == 1) return 0;
    if (strcmp(mode, "crashes") == 0) *(volatile int *)0 = 1;
    if (strcmp(mode, "aborts") == 0) abort();
    if (strcmp(mode, "exits") == 0) _exit(3);
    if (strcmp(mode, "hangs") == 0) for (;;) sleep(1);
    if (strcmp(mode, "leaks") == 0) for (;;) memset(malloc(1 << 20), 1, 1 << 20);
    if (strcmp(mode, "fails") == 0) { *n = 0; return 1; }
    if (strcmp(mode, "lies-length") == 0) event.len = 1u << 31;
    if (strcmp(mode, "lies-short") == 0) event.len = 3;
    if (strcmp(mode, "lies-params") == 0) event.lens[1] = 5000;
    if (strcmp(mode, "lies-count") == 0) *n = 1u << 30;
    if (strcmp(mode, "lies-null") == 0) *out = NULL;
    if (strcmp(mode, "lies-type") == 0) event.type = 3;
    if (strcmp(mode, "lies-id") == 0) event.id = 12;
    if (strcmp(mode, "empty") == 0) *n = 0;
    return 0;
}
int32_t plugin_extract_fields(void *s, const void *evt, const struct extract_input *in) {
    (void)s; (void)evt;
    struct field *f = in->fields;
    place = f->type == 8 ? (void *)&number : (void *)&text;
    f->res = place;
    f->res_len = 1;
    if (strcmp(mode, "extract-crashes") == 0) *(volatile int *)0 = 1;
    if (strcmp(mode, "extract-hangs") == 0) for (;;) sleep(1);
    if (strcmp(mode, "extract-many") == 0) f->res_len = (uint64_t)1 << 60;
    if (strcmp(mode, "extract-two") == 0) f->res_len = 2;
    if (strcmp(mode, "extract-null") == 0) f->res = NULL;
    if (strcmp(mode, "extract-fails") == 0) return 1;
    return 0;
}
