/* A plugin in C, against the interface's own header: every function of tables, async events, settings while it runs, a dump
 * of its state. What it finds wrong stands in its field `witness.faults`; a plugin that finds nothing wrong has "none". */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <plugin/plugin_api.h>

static char faults[4096];
static char setting[64];
static const char* texts[1];
static uint64_t numbers[1];
static uint64_t parsed, opened, closed, walked;

static ss_plugin_table_t *threads, *args_kept;
static ss_plugin_table_field_t *f_pid, *f_ptid, *f_comm, *f_cwd, *f_uid, *f_writable, *f_args, *f_env, *f_cgroups, *f_fds,
    *f_mine;
static ss_plugin_table_field_t *arg_value, *env_value, *group_path, *fd_name, *fd_type, *fd_port, *fd_number;

static void fault(const char* text) {
	if(strlen(faults) + strlen(text) + 3 < sizeof faults) {
		strcat(faults, text);
		strcat(faults, "; ");
	}
}
#define CHECK(what) do { if(!(what)) fault(#what); } while(0)

static ss_plugin_state_data number(int64_t n) { ss_plugin_state_data d; memset(&d, 0, sizeof d); d.s64 = n; return d; }
static ss_plugin_state_data word(const char* s) { ss_plugin_state_data d; memset(&d, 0, sizeof d); d.str = s; return d; }

const char* plugin_get_required_api_version(void) { return "3.10.0"; }
const char* plugin_get_name(void) { return "witness"; }
const char* plugin_get_version(void) { return "2.0.1"; }
const char* plugin_get_description(void) { return "Sees that the host keeps its word"; }
const char* plugin_get_contact(void) { return "nobody"; }
const char* plugin_get_last_error(ss_plugin_t* s) { return s ? "the witness refuses" : ""; }
const char* plugin_get_required_event_schema_version(ss_plugin_t* s) { (void)s; return "4.0.0"; }
const char* plugin_get_init_schema(ss_plugin_schema_type* type) {
	*type = SS_PLUGIN_SCHEMA_JSON;
	return "{\"type\":\"object\",\"properties\":{\"word\":{\"type\":\"string\"}},\"additionalProperties\":false}";
}

static void sub_fields(const ss_plugin_init_tables_input* t, ss_plugin_table_t* table, ss_plugin_table_entry_t* entry) {
	ss_plugin_state_data d;
	CHECK(t->reader_ext->read_entry_field(table, entry, f_args, &d) == SS_PLUGIN_SUCCESS);
	arg_value = t->fields_ext->get_table_field(d.table, "value", SS_PLUGIN_ST_STRING);
	CHECK(t->fields_ext->add_table_field(d.table, "more", SS_PLUGIN_ST_STRING) == NULL);
	CHECK(t->reader_ext->read_entry_field(table, entry, f_env, &d) == SS_PLUGIN_SUCCESS);
	env_value = t->fields_ext->get_table_field(d.table, "value", SS_PLUGIN_ST_STRING);
	CHECK(t->reader_ext->read_entry_field(table, entry, f_cgroups, &d) == SS_PLUGIN_SUCCESS);
	group_path = t->fields_ext->get_table_field(d.table, "second", SS_PLUGIN_ST_STRING);
	CHECK(t->reader_ext->read_entry_field(table, entry, f_fds, &d) == SS_PLUGIN_SUCCESS);
	uint32_t count = 0;
	CHECK(t->fields_ext->list_table_fields(d.table, &count) != NULL && count >= 32);
	fd_name = t->fields_ext->get_table_field(d.table, "name", SS_PLUGIN_ST_STRING);
	fd_type = t->fields_ext->get_table_field(d.table, "type", SS_PLUGIN_ST_UINT8);
	fd_port = t->fields_ext->get_table_field(d.table, "socket_ipv4_src_port", SS_PLUGIN_ST_UINT16);
	fd_number = t->fields_ext->get_table_field(d.table, "fd", SS_PLUGIN_ST_INT64);
	CHECK(arg_value && env_value && group_path && fd_name && fd_type && fd_port && fd_number);
}

ss_plugin_t* plugin_init(const ss_plugin_init_input* in, ss_plugin_rc* rc) {
	const ss_plugin_init_tables_input* t = in->tables;
	*rc = SS_PLUGIN_SUCCESS;
	faults[0] = 0;
	snprintf(setting, sizeof setting, "%s", in->config);
	uint32_t count = 0;
	ss_plugin_table_info* tables = t->list_tables(in->owner, &count);
	int found = 0;
	for(uint32_t n = 0; n < count; n++)
		found |= !strcmp(tables[n].name, "threads") && tables[n].key_type == SS_PLUGIN_ST_INT64;
	CHECK(found);
	CHECK(t->get_table(in->owner, "threads", SS_PLUGIN_ST_STRING) == NULL);
	CHECK(strstr(in->get_owner_last_error(in->owner), "wrong key type") != NULL);
	CHECK(t->get_table(in->owner, "nothing", SS_PLUGIN_ST_INT64) == NULL);
	threads = t->get_table(in->owner, "threads", SS_PLUGIN_ST_INT64);
	CHECK(threads == t->get_table(in->owner, "threads", SS_PLUGIN_ST_INT64));
	CHECK(!strcmp(t->reader_ext->get_table_name(threads), "threads"));
	const ss_plugin_table_fieldinfo* fields = t->fields_ext->list_table_fields(threads, &count);
	CHECK(count >= 32);
	for(uint32_t n = 0; n < count; n++)
		if(!strcmp(fields[n].name, "cwd"))
			CHECK(fields[n].read_only && fields[n].field_type == SS_PLUGIN_ST_STRING);
	const ss_plugin_table_fields_vtable_ext* f = t->fields_ext;
	f_pid = f->get_table_field(threads, "pid", SS_PLUGIN_ST_INT64);
	f_ptid = f->get_table_field(threads, "ptid", SS_PLUGIN_ST_INT64);
	f_comm = f->get_table_field(threads, "comm", SS_PLUGIN_ST_STRING);
	f_cwd = f->get_table_field(threads, "cwd", SS_PLUGIN_ST_STRING);
	f_uid = f->get_table_field(threads, "uid", SS_PLUGIN_ST_UINT32);
	f_writable = f->get_table_field(threads, "exe_writable", SS_PLUGIN_ST_BOOL);
	f_args = f->get_table_field(threads, "args", SS_PLUGIN_ST_TABLE);
	f_env = f->get_table_field(threads, "env", SS_PLUGIN_ST_TABLE);
	f_cgroups = f->get_table_field(threads, "cgroups", SS_PLUGIN_ST_TABLE);
	f_fds = f->get_table_field(threads, "file_descriptors", SS_PLUGIN_ST_TABLE);
	f_mine = f->add_table_field(threads, "witnessed", SS_PLUGIN_ST_UINT64);
	CHECK(f_pid && f_ptid && f_comm && f_cwd && f_uid && f_writable && f_args && f_env && f_cgroups && f_fds && f_mine);
	CHECK(f_mine == f->add_table_field(threads, "witnessed", SS_PLUGIN_ST_UINT64));
	CHECK(f->add_table_field(threads, "witnessed", SS_PLUGIN_ST_STRING) == NULL);
	CHECK(f->add_table_field(threads, "comm", SS_PLUGIN_ST_STRING) == NULL);
	CHECK(f->add_table_field(threads, "inner", SS_PLUGIN_ST_TABLE) == NULL);
	CHECK(f->get_table_field(threads, "comm", SS_PLUGIN_ST_UINT64) == NULL);
	CHECK(f->get_table_field(threads, "none", SS_PLUGIN_ST_UINT64) == NULL);
	ss_plugin_table_entry_t* made = t->writer_ext->create_table_entry(threads);
	CHECK(made != NULL);
	if(made) sub_fields(t, threads, made);
	t->writer_ext->destroy_table_entry(threads, made);
	return (ss_plugin_t*)faults;
}
void plugin_destroy(ss_plugin_t* s) { (void)s; }

ss_plugin_rc plugin_set_config(ss_plugin_t* s, const ss_plugin_set_config_input* in) {
	(void)s;
	if(strstr(in->config, "refuse")) return SS_PLUGIN_FAILURE;
	snprintf(setting, sizeof setting, "%s", in->config);
	return SS_PLUGIN_SUCCESS;
}

const char* plugin_get_fields(void) {
	return "[{\"type\":\"string\",\"name\":\"witness.faults\",\"desc\":\"What is wrong\"},"
	       "{\"type\":\"string\",\"name\":\"witness.setting\",\"desc\":\"Its settings\"},"
	       "{\"type\":\"uint64\",\"name\":\"witness.mine\",\"desc\":\"Its own field of the thread\"},"
	       "{\"type\":\"uint64\",\"name\":\"witness.writes\",\"desc\":\"Whether it could write now\"}]";
}

static ss_plugin_bool step(ss_plugin_table_iterator_state_t* s, ss_plugin_table_entry_t* e) {
	uint64_t* left = (uint64_t*)s;
	if(e == NULL) fault("a walk without an entry");
	walked++;
	return --*left > 0;
}
static ss_plugin_bool walk_step(ss_plugin_table_iterator_state_t* s, ss_plugin_table_entry_t* e) { return step(s, e); }

static void lists(const ss_plugin_event_parse_input* in, ss_plugin_table_entry_t* thread) {
	const ss_plugin_table_reader_vtable_ext* r = in->table_reader_ext;
	const ss_plugin_table_writer_vtable_ext* w = in->table_writer_ext;
	ss_plugin_state_data d, key;
	CHECK(r->read_entry_field(threads, thread, f_args, &d) == SS_PLUGIN_SUCCESS);
	ss_plugin_table_t* args = d.table;
	args_kept = args;
	uint64_t size = r->get_table_size(args);
	key = number(0);
	ss_plugin_table_entry_t* item = r->get_table_entry(args, &key);
	CHECK(item != NULL);
	d = word("first");
	CHECK(w->write_entry_field(args, item, arg_value, &d) == SS_PLUGIN_SUCCESS);
	CHECK(r->read_entry_field(args, item, arg_value, &d) == SS_PLUGIN_SUCCESS && !strcmp(d.str, "first"));
	r->release_table_entry(args, item);
	item = w->create_table_entry(args);
	d = word("last");
	CHECK(w->write_entry_field(args, item, arg_value, &d) == SS_PLUGIN_SUCCESS);
	key = number((int64_t)size + 1);
	item = w->add_table_entry(args, &key, item);
	CHECK(item != NULL && r->get_table_size(args) == size + 2);
	CHECK(w->erase_table_entry(args, &key) == SS_PLUGIN_SUCCESS && r->get_table_size(args) == size + 1);
	CHECK(w->erase_table_entry(args, &key) == SS_PLUGIN_FAILURE);
	key = number(99);
	CHECK(r->get_table_entry(args, &key) == NULL);
	CHECK(r->read_entry_field(threads, thread, f_env, &d) == SS_PLUGIN_SUCCESS);
	ss_plugin_table_t* env = d.table;
	CHECK(w->clear_table(env) == SS_PLUGIN_SUCCESS && r->get_table_size(env) == 0);
	CHECK(r->read_entry_field(threads, thread, f_cgroups, &d) == SS_PLUGIN_SUCCESS);
	ss_plugin_table_t* groups = d.table;
	key = number(0);
	item = r->get_table_entry(groups, &key);
	CHECK(item && r->read_entry_field(groups, item, group_path, &d) == SS_PLUGIN_SUCCESS && !strcmp(d.str, "/a"));
}

static void files(const ss_plugin_event_parse_input* in, ss_plugin_table_entry_t* thread) {
	const ss_plugin_table_reader_vtable_ext* r = in->table_reader_ext;
	const ss_plugin_table_writer_vtable_ext* w = in->table_writer_ext;
	ss_plugin_state_data d, key;
	CHECK(r->read_entry_field(threads, thread, f_fds, &d) == SS_PLUGIN_SUCCESS);
	ss_plugin_table_t* fds = d.table;
	ss_plugin_table_entry_t* fd = w->create_table_entry(fds);
	CHECK(fd != NULL);
	memset(&d, 0, sizeof d);
	d.u8 = 3;
	CHECK(w->write_entry_field(fds, fd, fd_type, &d) == SS_PLUGIN_SUCCESS);
	d.u16 = 8080;
	CHECK(w->write_entry_field(fds, fd, fd_port, &d) == SS_PLUGIN_SUCCESS);
	key = number(77);
	fd = w->add_table_entry(fds, &key, fd);
	CHECK(fd != NULL);
	CHECK(r->read_entry_field(fds, fd, fd_port, &d) == SS_PLUGIN_SUCCESS && d.u16 == 8080);
	CHECK(r->read_entry_field(fds, fd, fd_number, &d) == SS_PLUGIN_SUCCESS && d.s64 == 77);
	d = number(1);
	CHECK(w->write_entry_field(fds, fd, fd_number, &d) == SS_PLUGIN_FAILURE);
	d = word("renamed");
	CHECK(w->write_entry_field(fds, fd, fd_name, &d) == SS_PLUGIN_SUCCESS);
	uint64_t size = r->get_table_size(fds);
	CHECK(w->erase_table_entry(fds, &key) == SS_PLUGIN_SUCCESS && r->get_table_size(fds) == size - 1);
}

ss_plugin_rc plugin_parse_event(ss_plugin_t* s, const ss_plugin_event_input* ev, const ss_plugin_event_parse_input* in) {
	(void)s;
	const ss_plugin_table_reader_vtable_ext* r = in->table_reader_ext;
	const ss_plugin_table_writer_vtable_ext* w = in->table_writer_ext;
	ss_plugin_state_data d, key;
	parsed++;
	key = number((int64_t)ev->evt->tid);
	ss_plugin_table_entry_t* thread = r->get_table_entry(threads, &key);
	CHECK(thread != NULL);
	if(!thread) return SS_PLUGIN_FAILURE;
	CHECK(r->read_entry_field(threads, thread, f_mine, &d) == SS_PLUGIN_SUCCESS);
	if(strstr(setting, "crash") || strstr(setting, "forever")) {
		/* Once for each thread, in the middle of its work. */
		int first = d.u64++ == 0;
		CHECK(w->write_entry_field(threads, thread, f_mine, &d) == SS_PLUGIN_SUCCESS);
		while(first)
			if(strstr(setting, "crash"))
				*(volatile int*)0 = 1;
			else
				r->get_table_size(threads);
		return SS_PLUGIN_SUCCESS;
	}
	CHECK(d.u64 == parsed - 1);
	d.u64 = parsed;
	CHECK(w->write_entry_field(threads, thread, f_mine, &d) == SS_PLUGIN_SUCCESS);
	if(parsed > 1) return SS_PLUGIN_SUCCESS;
	/* The functions that stand in the input itself, as the first versions had them. */
	CHECK(in->table_reader.read_entry_field(threads, thread, f_pid, &d) == SS_PLUGIN_SUCCESS && d.s64 == 7);
	d = word("changed");
	CHECK(in->table_writer.write_entry_field(threads, thread, f_comm, &d) == SS_PLUGIN_SUCCESS);
	CHECK(w->write_entry_field(threads, thread, f_cwd, &d) == SS_PLUGIN_FAILURE);
	CHECK(r->read_entry_field(threads, thread, f_cwd, &d) == SS_PLUGIN_SUCCESS && !strcmp(d.str, "/tmp/"));
	memset(&d, 0, sizeof d);
	d.u32 = 31;
	CHECK(w->write_entry_field(threads, thread, f_uid, &d) == SS_PLUGIN_SUCCESS);
	d.b = 1;
	CHECK(w->write_entry_field(threads, thread, f_writable, &d) == SS_PLUGIN_SUCCESS);
	CHECK(r->read_entry_field(threads, thread, f_writable, &d) == SS_PLUGIN_SUCCESS && d.b == 1);
	key = number(31337);
	CHECK(r->get_table_entry(threads, &key) == NULL);
	lists(in, thread);
	files(in, thread);
	ss_plugin_table_entry_t* made = w->create_table_entry(threads);
	d = number(4242);
	CHECK(w->write_entry_field(threads, made, f_pid, &d) == SS_PLUGIN_SUCCESS);
	d = number(7);
	CHECK(w->write_entry_field(threads, made, f_ptid, &d) == SS_PLUGIN_SUCCESS);
	d = word("made");
	CHECK(w->write_entry_field(threads, made, f_comm, &d) == SS_PLUGIN_SUCCESS);
	uint64_t size = r->get_table_size(threads);
	key = number(4242);
	made = w->add_table_entry(threads, &key, made);
	CHECK(made != NULL && r->get_table_size(threads) == size + 1);
	made = r->get_table_entry(threads, &key);
	CHECK(made && r->read_entry_field(threads, made, f_comm, &d) == SS_PLUGIN_SUCCESS && !strcmp(d.str, "made"));
	uint64_t left = 1000;
	CHECK(r->iterate_entries(threads, walk_step, (ss_plugin_table_iterator_state_t*)&left) && walked == size + 1);
	left = 1;
	CHECK(!r->iterate_entries(threads, walk_step, (ss_plugin_table_iterator_state_t*)&left) && walked == size + 2);
	CHECK(w->erase_table_entry(threads, &key) == SS_PLUGIN_SUCCESS && r->get_table_size(threads) == size);
	r->release_table_entry(threads, thread);
	/* Not held any more. */
	CHECK(r->read_entry_field(threads, thread, f_pid, &d) == SS_PLUGIN_FAILURE);
	return SS_PLUGIN_SUCCESS;
}

ss_plugin_rc plugin_extract_fields(ss_plugin_t* s, const ss_plugin_event_input* ev, const ss_plugin_field_extract_input* in) {
	(void)s;
	ss_plugin_extract_field* f = in->fields;
	ss_plugin_state_data d, key = number((int64_t)ev->evt->tid);
	f->res_len = 1;
	f->res.u64 = numbers;
	switch(f->field_id) {
	case 0: texts[0] = faults[0] ? faults : "none"; f->res.str = texts; break;
	case 1: texts[0] = setting; f->res.str = texts; break;
	default: {
		ss_plugin_table_entry_t* thread = in->table_reader_ext->get_table_entry(threads, &key);
		if(!thread) return SS_PLUGIN_FAILURE;
		ss_plugin_rc rc = in->table_reader_ext->read_entry_field(threads, thread, f_mine, &d);
		in->table_reader_ext->release_table_entry(threads, thread);
		if(rc != SS_PLUGIN_SUCCESS) return rc;
		numbers[0] = d.u64;
	}
	}
	return SS_PLUGIN_SUCCESS;
}
uint16_t* plugin_get_extract_event_types(uint32_t* n, ss_plugin_t* s) {
	(void)s;
	static uint16_t types[] = {307};
	*n = 1;
	return types;
}

/* Async events: one at once, and the same when a capture is written. */
#pragma pack(push, 1)
static struct { ss_plugin_event head; uint32_t lens[3]; uint32_t id; char name[6]; char data[3]; } tick = {
	{UINT64_MAX, UINT64_MAX, sizeof tick, 402, 3}, {4, 6, 3}, 0, "stand", "up"};
#pragma pack(pop)
const char* plugin_get_async_events(void) { return "[\"stand\"]"; }
ss_plugin_rc plugin_set_async_event_handler(ss_plugin_t* s, ss_plugin_owner_t* o, const ss_plugin_async_event_handler_t h) {
	(void)s;
	char error[PLUGIN_MAX_ERRLEN] = "";
	if(!h) return SS_PLUGIN_SUCCESS;
	CHECK(h(o, &tick.head, error) == SS_PLUGIN_SUCCESS);
	tick.name[0] = 'S';
	CHECK(h(o, &tick.head, error) == SS_PLUGIN_FAILURE && strstr(error, "incompatible async event 'Stand'"));
	tick.name[0] = 's';
	tick.head.type = 322;
	CHECK(h(o, &tick.head, error) == SS_PLUGIN_FAILURE && strstr(error, "malformed async event"));
	tick.head.type = 402;
	return SS_PLUGIN_SUCCESS;
}
ss_plugin_rc plugin_dump_state(ss_plugin_t* s, ss_plugin_owner_t* o, const ss_plugin_async_event_handler_t h) {
	(void)s;
	char error[PLUGIN_MAX_ERRLEN] = "";
	return h(o, &tick.head, error);
}

ss_plugin_rc plugin_capture_open(ss_plugin_t* s, const ss_plugin_capture_listen_input* in) {
	(void)s;
	opened++;
	CHECK(in->table_reader_ext->get_table_size(threads) == 3);
	return SS_PLUGIN_SUCCESS;
}
ss_plugin_rc plugin_capture_close(ss_plugin_t* s, const ss_plugin_capture_listen_input* in) {
	(void)s;
	closed++;
	CHECK(in->table_reader_ext->get_table_size(threads) == 3);
	return SS_PLUGIN_SUCCESS;
}

ss_plugin_metric* plugin_get_metrics(ss_plugin_t* s, uint32_t* n) {
	(void)s;
	static ss_plugin_metric all[3];
	static const char* names[] = {"parsed", "opened", "closed"};
	uint64_t values[] = {parsed, opened, closed};
	for(*n = 0; *n < 3; ++*n) {
		all[*n].name = names[*n];
		all[*n].type = SS_PLUGIN_METRIC_TYPE_MONOTONIC;
		all[*n].value.u64 = values[*n];
		all[*n].value_type = SS_PLUGIN_METRIC_VALUE_TYPE_U64;
	}
	return all;
}
