/* A conversation over the C ABI, with a store of this program's own. Talks to a peer through tests/relay.py. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sandi.h"

#define CHECK(condition)                                                                     \
  do {                                                                                       \
    if (!(condition)) {                                                                      \
      fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                        \
      exit(1);                                                                               \
    }                                                                                        \
  } while (0)

static void ok(SandiStatus status, int line) {
  if (status != SANDI_STATUS_OK) {
    char text[256] = "";
    sandi_last_error(text, sizeof text);
    fprintf(stderr, "%s:%d: %d, %s: %s\n", __FILE__, line, (int)status, sandi_status_message(status), text);
    exit(1);
  }
}
#define OK(call) ok((call), __LINE__)

/* ---- a store: records in a list, compared first and then written ---- */

typedef struct Record {
  uint8_t *key;
  size_t key_len;
  uint64_t revision;
  uint8_t *data;
  size_t len;
  struct Record *next;
} Record;

typedef struct Store {
  Record *first;
  int commits;
  int freed;
} Store;

static uint8_t *copy(const uint8_t *data, size_t len) {
  uint8_t *out = malloc(len ? len : 1);
  CHECK(out != NULL);
  if (len) memcpy(out, data, len);
  return out;
}

static Record **find(Store *store, const uint8_t *key, size_t key_len) {
  Record **at = &store->first;
  while (*at && !((*at)->key_len == key_len && memcmp((*at)->key, key, key_len) == 0)) at = &(*at)->next;
  return at;
}

static int32_t load(void *context, const uint8_t *key, size_t key_len, SandiSink sink) {
  const Record *record = *find(context, key, key_len);
  if (record && sandi_record_found(sink, record->revision, record->data, record->len) != SANDI_STATUS_OK) return 7;
  return SANDI_STORE_OK;
}

static void drop(Record **at) {
  Record *record = *at;
  *at = record->next;
  free(record->key);
  free(record->data);
  free(record);
}

static int32_t commit(void *context, const SandiChange *changes, size_t count) {
  Store *store = context;
  for (size_t i = 0; i < count; i++) {
    const Record *record = *find(store, changes[i].key, changes[i].key_len);
    if ((record ? record->revision : 0) != changes[i].expected_revision) return SANDI_STORE_CONFLICT;
  }
  for (size_t i = 0; i < count; i++) {
    const SandiChange *change = &changes[i];
    Record **at = find(store, change->key, change->key_len);
    if (change->write == SANDI_WRITE_KEEP) continue;
    if (*at) drop(at);
    if (change->write == SANDI_WRITE_PUT) {
      Record *record = calloc(1, sizeof *record);
      CHECK(record != NULL);
      record->key = copy(change->key, change->key_len);
      record->key_len = change->key_len;
      record->revision = change->new_revision;
      record->data = copy(change->data, change->len);
      record->len = change->len;
      record->next = store->first;
      store->first = record;
    }
  }
  store->commits++;
  return SANDI_STORE_OK;
}

static void free_context(void *context) { ((Store *)context)->freed++; }

/* ---- the relay ---- */

static char line[1 << 16];

/* Reads the answer to a request; what follows "ok ". */
static char *answer(void) {
  fflush(stdout);
  CHECK(fgets(line, sizeof line, stdin) != NULL);
  line[strcspn(line, "\r\n")] = 0;
  CHECK(strncmp(line, "ok", 2) == 0);
  return line[2] == ' ' ? line + 3 : line + 2;
}

static void print_hex(const uint8_t *data, size_t len) {
  for (size_t i = 0; i < len; i++) printf("%02x", data[i]);
}

static size_t read_hex(const char *text, uint8_t *out, size_t capacity) {
  size_t len = strlen(text) / 2;
  CHECK(len <= capacity);
  for (size_t i = 0; i < len; i++) {
    unsigned byte;
    CHECK(sscanf(text + 2 * i, "%2x", &byte) == 1);
    out[i] = (uint8_t)byte;
  }
  return len;
}

/* ---- the conversation ---- */

static const char NAME[] = "a11ce000-0000-4000-8000-000000000001";
static char peer_name[64];
static SandiAddress peer;
static uint8_t bytes[1 << 15];

static uint64_t now(void) { return (uint64_t)time(NULL) * 1000; }

static void send_text(SandiDevice device, const char *text, uint32_t expected_type) {
  SandiSent sent;
  OK(sandi_device_encrypt(device, &peer, (const uint8_t *)text, strlen(text), now(), &sent));
  CHECK(sent.message_type == expected_type);
  CHECK(sent.registration_id != 0);
  printf("deliver %u ", (unsigned)sent.message_type);
  print_hex(sent.bytes.data, sent.bytes.len);
  puts("");
  OK(sandi_buffer_free(&sent.bytes));
  size_t len = read_hex(answer(), bytes, sizeof bytes);
  CHECK(len == strlen(text) && memcmp(bytes, text, len) == 0);
}

static void receive_text(SandiDevice device, const char *text, uint32_t new_session) {
  fputs("receive ", stdout);
  print_hex((const uint8_t *)text, strlen(text));
  puts("");
  char *reply = answer();
  char *rest;
  uint32_t type = (uint32_t)strtoul(reply, &rest, 10);
  size_t len = read_hex(rest + 1, bytes, sizeof bytes);

  /* dropped without a commit, it can be delivered again */
  SandiReceived received;
  OK(sandi_device_decrypt(device, &peer, type, bytes, len, now(), &received));
  OK(sandi_received_free(received));
  OK(sandi_device_decrypt(device, &peer, type, bytes, len, now(), &received));

  SandiBuffer plaintext;
  OK(sandi_received_plaintext(received, &plaintext));
  CHECK(plaintext.len == strlen(text) && memcmp(plaintext.data, text, plaintext.len) == 0);
  OK(sandi_buffer_free(&plaintext));
  SandiBuffer name;
  uint32_t id, is_new;
  OK(sandi_received_sender(received, &name, &id));
  CHECK(id == 1 && name.len == strlen(peer_name) && memcmp(name.data, peer_name, name.len) == 0);
  OK(sandi_buffer_free(&name));
  OK(sandi_received_is_new_session(received, &is_new));
  CHECK(is_new == new_session);
  OK(sandi_received_commit(received));
  CHECK(sandi_received_commit(received) == SANDI_STATUS_ALREADY_COMMITTED);
  OK(sandi_received_free(received));

  /* committed, it is a duplicate */
  CHECK(sandi_device_decrypt(device, &peer, type, bytes, len, now(), &received) == SANDI_STATUS_DUPLICATED_MESSAGE);
  CHECK(received.id == 0);
  CHECK(sandi_status_disposition(SANDI_STATUS_DUPLICATED_MESSAGE) == SANDI_DISPOSITION_DROP);
}

int main(void) {
  CHECK(sandi_abi_version() == SANDI_ABI_VERSION);
  Store records = {0};
  SandiStoreCallbacks callbacks = {&records, load, commit, free_context};
  SandiStore store;
  OK(sandi_store_callbacks(&callbacks, &store));

  SandiNewDevice new_device = {0};
  new_device.address.name = (const uint8_t *)NAME;
  new_device.address.name_len = strlen(NAME);
  new_device.address.device = 1;
  SandiOptions options;
  OK(sandi_options_default(&options));
  options.one_time = 4;
  options.one_time_kem = 4;
  options.refill_below = 2;
  SandiDevice device;
  CHECK(sandi_device_open(store, &options, &device) == SANDI_STATUS_NOT_CREATED);
  OK(sandi_device_create(store, &new_device, &options, &device));
  SandiDevice second;
  CHECK(sandi_device_create(store, &new_device, &options, &second) == SANDI_STATUS_ALREADY_CREATED);

  /* what to upload; and the bundle that the server would make of it */
  SandiUpload upload;
  OK(sandi_device_replenish(device, 0, 0, now(), &upload));
  SandiPublicPreKey key;
  size_t one_time = 0;
  for (; sandi_upload_key(upload, SANDI_KEYS_ONE_TIME_KEM, one_time, &key) == SANDI_STATUS_OK; one_time++) {
    CHECK(key.key.len == 1569 && key.signature.len == 64);
    OK(sandi_buffer_free(&key.key));
    OK(sandi_buffer_free(&key.signature));
  }
  CHECK(one_time == 4);
  SandiBuffer bundle;
  OK(sandi_upload_bundle(upload, 1, 0, &bundle));
  SandiBundleRead read;
  OK(sandi_bundle_decode(bundle.data, bundle.len, &read));
  SandiBuffer again;
  OK(sandi_bundle_encode(&read.parts, &again));
  CHECK(again.len == bundle.len && memcmp(again.data, bundle.data, bundle.len) == 0);
  OK(sandi_buffer_free(&again));
  OK(sandi_buffer_free(&read.memory));
  OK(sandi_device_confirm_upload(device, upload, now()));
  OK(sandi_upload_free(upload));

  printf("hello %s 1\n", NAME);
  CHECK(sscanf(answer(), "%63s", peer_name) == 1);
  peer.name = (const uint8_t *)peer_name;
  peer.name_len = strlen(peer_name);
  peer.device = 1;

  /* this side starts */
  SandiSent sent;
  CHECK(sandi_device_encrypt(device, &peer, (const uint8_t *)"x", 1, now(), &sent) == SANDI_STATUS_SESSION_NOT_FOUND);
  puts("bundle");
  size_t len = read_hex(answer(), bytes, sizeof bytes);
  bytes[len - 1] ^= 1;
  CHECK(sandi_device_start_session(device, &peer, bytes, len, now()) == SANDI_STATUS_SIGNATURE_VALIDATION_FAILED);
  bytes[len - 1] ^= 1;
  OK(sandi_device_start_session(device, &peer, bytes, len, now()));
  send_text(device, "Hello from C", SANDI_MESSAGE_PRE_KEY);
  receive_text(device, "hello, C", 0);
  send_text(device, "and on we go", SANDI_MESSAGE_SIGNAL);

  /* the program starts anew: all state is in the store */
  OK(sandi_device_free(device));
  CHECK(sandi_device_encrypt(device, &peer, (const uint8_t *)"x", 1, now(), &sent) == SANDI_STATUS_STALE_HANDLE);
  OK(sandi_device_open(store, &options, &device));
  send_text(device, "still here", SANDI_MESSAGE_SIGNAL);
  receive_text(device, "so am I", 0);

  /* the peer starts */
  fputs("start ", stdout);
  print_hex(bundle.data, bundle.len);
  puts("");
  answer();
  OK(sandi_buffer_free(&bundle));
  receive_text(device, "from a new session", 1);
  send_text(device, "in the new session", SANDI_MESSAGE_SIGNAL);

  OK(sandi_device_free(device));
  CHECK(records.freed == 0);
  OK(sandi_store_free(store));
  CHECK(records.freed == 1);
  CHECK(records.commits > 8);
  while (records.first) drop(&records.first);
  return 0;
}
