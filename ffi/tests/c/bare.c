/* A conversation over a library without `std`: this program supplies memory and randomness, and gets all of the memory
 * back. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sandi.h"

#define CHECK(condition)                                                                     \
  do {                                                                                       \
    if (!(condition)) {                                                                      \
      fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                        \
      exit(1);                                                                               \
    }                                                                                        \
  } while (0)
#define OK(call) CHECK((call) == SANDI_STATUS_OK)

static size_t in_use, highest;

uint8_t *sandi_platform_alloc(size_t size, size_t align) {
  in_use += size;
  if (in_use > highest) highest = in_use;
  return aligned_alloc(align, (size + align - 1) / align * align);
}

void sandi_platform_free(uint8_t *memory, size_t size, size_t align) {
  (void)align;
  in_use -= size;
  free(memory);
}

int32_t sandi_platform_random(uint8_t *out, size_t len) {
  FILE *random = fopen("/dev/urandom", "rb");
  if (random == NULL) return 1;
  size_t got = fread(out, 1, len, random);
  fclose(random);
  return got == len ? 0 : 1;
}

void sandi_platform_abort(void) { abort(); }

/* Only for a test on a machine with an operating system: its core library is compiled for unwinding, which never
 * happens here. That of a target without one does not ask for this. */
void rust_eh_personality(void) { abort(); }

static SandiAddress address(const char *name) {
  SandiAddress out = {(const uint8_t *)name, strlen(name), 1};
  return out;
}

static SandiDevice device(const char *name) {
  SandiOptions options;
  OK(sandi_options_default(&options));
  options.one_time = options.one_time_kem = 1;
  options.refill_below = 1;
  options.cached_sessions = 4;
  SandiNewDevice new_device = {address(name), NULL, 0, 0, SANDI_SCOPE_ACCOUNT};
  SandiStore store;
  SandiDevice out;
  OK(sandi_store_memory(&store));
  OK(sandi_device_create(store, &new_device, &options, &out));
  OK(sandi_store_free(store));
  return out;
}

static void say(SandiDevice from, const char *sender, SandiDevice to, const char *recipient, const char *text) {
  SandiAddress a = address(sender), b = address(recipient);
  SandiSent sent;
  SandiReceived received;
  SandiBuffer plaintext;
  OK(sandi_device_encrypt(from, &b, (const uint8_t *)text, strlen(text), 1000, &sent));
  OK(sandi_device_decrypt(to, &a, sent.message_type, sent.bytes.data, sent.bytes.len, 1000, &received));
  OK(sandi_received_plaintext(received, &plaintext));
  CHECK(plaintext.len == strlen(text) && memcmp(plaintext.data, text, plaintext.len) == 0);
  OK(sandi_received_commit(received));
  OK(sandi_buffer_free(&plaintext));
  OK(sandi_buffer_free(&sent.bytes));
  OK(sandi_received_free(received));
  CHECK(sandi_received_free(received) == SANDI_STATUS_STALE_HANDLE);
}

int main(void) {
  SandiDevice alice = device("alice"), bob = device("bob");
  SandiUpload upload;
  SandiBuffer bundle;
  SandiAddress to = address("bob");
  OK(sandi_device_replenish(bob, 0, 0, 1000, &upload));
  OK(sandi_upload_bundle(upload, 1, 0, &bundle));
  OK(sandi_upload_free(upload));
  OK(sandi_device_start_session(alice, &to, bundle.data, bundle.len, 1000));
  OK(sandi_buffer_free(&bundle));
  for (int i = 0; i < 10; i++) {
    say(alice, "alice", bob, "bob", "ping");
    say(bob, "bob", alice, "alice", "pong");
  }
  OK(sandi_device_free(alice));
  OK(sandi_device_free(bob));
  /* what is left is the table of handles */
  printf("highest use of memory: %zu bytes; at the end: %zu\n", highest, in_use);
  CHECK(in_use < 4096);
  return 0;
}
