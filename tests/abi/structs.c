/* Where each field of each struct lies, as programs that were compiled long ago have it. Only ever grows. */
#include <madang.h>

#define AT(type, field, offset) _Static_assert(offsetof(type, field) == (offset), #type "." #field " has moved")
#define ENDS_AT(type, size) _Static_assert(sizeof(type) == (size), #type " has another size")

AT(madang_queue_options, struct_size, 0);
AT(madang_queue_options, flags, 4);
AT(madang_queue_options, capacity, 8);
AT(madang_queue_options, max_messages, 16);
AT(madang_queue_options, max_participants, 24);
AT(madang_queue_options, mode, 28);
AT(madang_queue_options, create, 32);
AT(madang_queue_options, deliveries, 36);
AT(madang_queue_options, dead_letters, 40);
ENDS_AT(madang_queue_options, 48);

AT(madang_queue_status, struct_size, 0);
AT(madang_queue_status, max_participants, 4);
AT(madang_queue_status, capacity, 8);
AT(madang_queue_status, max_messages, 16);
AT(madang_queue_status, bytes, 24);
AT(madang_queue_status, messages, 32);
AT(madang_queue_status, sent, 40);
AT(madang_queue_status, received, 48);
AT(madang_queue_status, repairs, 56);
AT(madang_queue_status, allocated, 64);
AT(madang_queue_status, participants, 72);
AT(madang_queue_status, mode, 76);
AT(madang_queue_status, uid, 80);
AT(madang_queue_status, gid, 84);
AT(madang_queue_status, leased, 88);
ENDS_AT(madang_queue_status, 96);

AT(madang_message, struct_size, 0);
AT(madang_message, flags, 4);
AT(madang_message, type, 8);
AT(madang_message, length, 16);
AT(madang_message, sequence, 24);
AT(madang_message, redelivered, 32);
AT(madang_message, reserved, 36);
ENDS_AT(madang_message, 40);

AT(madang_participant, struct_size, 0);
AT(madang_participant, flags, 4);
AT(madang_participant, joined_ns, 8);
AT(madang_participant, pid, 16);
AT(madang_participant, reserved, 20);
ENDS_AT(madang_participant, 24);

AT(madang_listed, struct_size, 0);
AT(madang_listed, kind, 4);
AT(madang_listed, size, 8);
AT(madang_listed, allocated, 16);
AT(madang_listed, mode, 24);
AT(madang_listed, uid, 28);
AT(madang_listed, gid, 32);
AT(madang_listed, error, 36);
AT(madang_listed, name, 40);
ENDS_AT(madang_listed, 296);

AT(madang_left_over, struct_size, 0);
AT(madang_left_over, flags, 4);
AT(madang_left_over, files, 8);
AT(madang_left_over, bytes, 16);
AT(madang_left_over, others, 24);
ENDS_AT(madang_left_over, 32);

AT(madang_item, type, 0);
AT(madang_item, data, 8);
AT(madang_item, length, 8 + sizeof(void *));
ENDS_AT(madang_item, 8 + sizeof(void *) + sizeof(size_t));

AT(madang_segment_options, struct_size, 0);
AT(madang_segment_options, flags, 4);
AT(madang_segment_options, length, 8);
AT(madang_segment_options, mode, 16);
AT(madang_segment_options, create, 20);
ENDS_AT(madang_segment_options, 24);

AT(madang_operation, index, 0);
AT(madang_operation, delta, 4);
AT(madang_operation, flags, 8);
ENDS_AT(madang_operation, 12);

AT(madang_semaphore_set_options, struct_size, 0);
AT(madang_semaphore_set_options, flags, 4);
AT(madang_semaphore_set_options, values, 8);
AT(madang_semaphore_set_options, semaphores, 16);
AT(madang_semaphore_set_options, max_value, 20);
AT(madang_semaphore_set_options, max_participants, 24);
AT(madang_semaphore_set_options, mode, 28);
AT(madang_semaphore_set_options, create, 32);
AT(madang_semaphore_set_options, reserved, 36);
ENDS_AT(madang_semaphore_set_options, 40);

AT(madang_semaphore_set_status, struct_size, 0);
AT(madang_semaphore_set_status, semaphores, 4);
AT(madang_semaphore_set_status, max_value, 8);
AT(madang_semaphore_set_status, max_participants, 12);
AT(madang_semaphore_set_status, repairs, 16);
AT(madang_semaphore_set_status, allocated, 24);
AT(madang_semaphore_set_status, participants, 32);
AT(madang_semaphore_set_status, mode, 36);
AT(madang_semaphore_set_status, uid, 40);
AT(madang_semaphore_set_status, gid, 44);
ENDS_AT(madang_semaphore_set_status, 48);

AT(madang_sync_options, struct_size, 0);
AT(madang_sync_options, flags, 4);
AT(madang_sync_options, mode, 8);
AT(madang_sync_options, create, 12);
ENDS_AT(madang_sync_options, 16);
